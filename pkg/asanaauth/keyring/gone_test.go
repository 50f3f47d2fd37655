package keyring_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A process that once had the keyring does not make another one in its place, because
// everything that is sealed would be lost. It goes on with the keyring that it has.
func TestAKeyringThatIsGoneIsNotReplaced(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Rows.Delete(store.KeyringKey)
		time.Sleep(10 * time.Minute)
		p.MustToken(cookie, 0)
		if rows, err := inst.Rows.Read(t.Context(), store.KeyringKey); err != nil || len(rows) > 0 {
			t.Errorf("there is a new keyring, or %v", err)
		}
	})
}
