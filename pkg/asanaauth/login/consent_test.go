package login_test

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestAConsentIsOneWrite(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Rows.WantOneConnection(1)
		consents := 0
		for _, op := range inst.Table.Calls() {
			for _, c := range op.Changes {
				switch c.Row.(type) {
				case *store.Hot, *store.Cold, *store.Session, *store.UserPointer:
					if len(op.Changes) != 5 {
						t.Errorf("a %T in a write of %d rows", c.Row, len(op.Changes))
					}
					consents++
				}
			}
		}
		authtest.WantCount(t, "rows of the consent", consents, 4)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", "connected"), 1)
		caller := "session:" + store.HashText(cookie.Reveal()).String()[:8]
		authtest.WantCount(t, "the session's name", inst.Log.Says("caller", caller), 1)
		id, rest, _ := strings.Cut(cookie.Reveal(), ".")
		if raw, err := base64.RawURLEncoding.DecodeString(rest); err != nil || len(raw) != 32 || id != connectionOf(asanatest.Member) {
			t.Error("the cookie does not consist of the connection's ID and 32 bytes")
		}
	})
}

// If a person connects again, the existing connection is updated and a new session
// begins. The hot row keeps its epoch, so that the person's other sessions stay valid.
// The hot row's fields about the old grant, such as the lease and the cool-down, are
// cleared.
func TestConnectingAgain(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		first := p.SignIn(asanatest.Member)
		before := inst.Rows.Hot(first.Reveal())
		created := time.Now()
		time.Sleep(time.Hour)
		inst.Rows.Edit(first.Reveal(), func(hot *store.Hot) {
			hot.Status, hot.Reason, hot.BrokenAt = string(asanaauth.Broken), asanaauth.ReasonInvalidGrant, time.Now()
			hot.Lease, hot.LeaseEnd, hot.DoubtedGrant = "somebody", time.Now().Add(time.Minute), hot.Grant
			hot.CoolUntil, hot.RefusedGrant, hot.RefusedAt = time.Now().Add(time.Minute), 1, time.Now()
		})
		second := p.SignIn(asanatest.Member)
		if second.Equal(first) || authtest.ConnectionOf(second) != authtest.ConnectionOf(first) {
			t.Error("the session is the same, or the connection another one")
		}
		inst.Rows.WantOneConnection(2)
		after := inst.Rows.Hot(second.Reveal())
		if after.Epoch != before.Epoch || after.Generation != 2 || after.Grant != 2 {
			t.Errorf("epoch %q to %q, generation %d, grant %d", before.Epoch, after.Epoch, after.Generation, after.Grant)
		}
		if after.Status != string(asanaauth.Active) || after.Reason != "" || after.Lease != "" || after.DoubtedGrant != 0 || !after.CoolUntil.IsZero() ||
			!after.BrokenAt.IsZero() || after.RefusedGrant != 0 {
			t.Errorf("marks of the old grant are left: %+v", after)
		}
		authtest.WantCount(t, "recoveries", inst.Log.SaysRaw("recovered", "true"), 1)
		a, b := p.MustToken(first, 0), p.MustToken(second, 0)
		if !a.Access.Equal(b.Access) {
			t.Error("the two sessions hold different tokens")
		}
		for _, row := range inst.Rows.All() {
			if cold, ok := row.(*store.Cold); ok && (!cold.Created.Equal(created) || !cold.Updated.Equal(time.Now()) || cold.Generation != 2) {
				t.Errorf("created %v, updated %v, generation %d", cold.Created, cold.Updated, cold.Generation)
			}
		}
	})
}

// If several callbacks of the same person run at the same time, all of them succeed.
func TestCallbacksOfOnePersonAtOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) == 5 {
				time.Sleep(time.Second) // wait until all callbacks have read the rows
			}
			return true, nil
		}
		var wg sync.WaitGroup
		cookies := make([]secret.String, 3)
		for i := range cookies {
			wg.Go(func() { cookies[i] = inst.Process().SignIn(asanatest.Member) })
		}
		wg.Wait()
		inst.Rows.WantOneConnection(3)
		for _, cookie := range cookies {
			inst.Process().MustToken(cookie, 0)
		}
		if hot := inst.Rows.Hot(cookies[0].Reveal()); hot.Generation != 3 || hot.Grant != 3 {
			t.Errorf("generation %d, grant %d", hot.Generation, hot.Grant)
		}
	})
}
