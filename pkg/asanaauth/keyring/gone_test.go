package keyring_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If the keyring's row is deleted, a process that has cached the keyring must still
// return tokens and must not create a new keyring.
func TestDeletedKeyringIsNotReplaced(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Rows.Delete(store.KeyringKey)
		time.Sleep(10 * time.Minute)
		p.MustToken(cookie, 0)
		if rows, err := inst.Rows.Read(t.Context(), store.KeyringKey); err != nil || len(rows) > 0 {
			t.Errorf("Read() of the keyring = %d rows, %v, want no rows", len(rows), err)
		}
	})
}
