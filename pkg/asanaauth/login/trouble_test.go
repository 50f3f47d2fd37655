package login_test

import (
	"context"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If the response to the write that marks the attempt as used is lost, the write is
// repeated with the same writer ID. The store must recognize the first write, so that the
// sign-in succeeds.
func TestALostResponseToTheConsumingWriteIsRecognized(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		r := p.Answer(p.Begin(), asanatest.Member)
		writes := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				if _, ok := op.Changes[0].Row.(*store.Attempt); ok {
					writes++
					return true, authtest.FailIf(writes == 1, authtest.ErrTableDown)
				}
			}
			return true, nil
		}
		if _, err := p.Callback(r); err != nil {
			t.Errorf("callback: %v", err)
		}
		authtest.WantCount(t, "writes of the attempt", writes, 2)
	})
}
