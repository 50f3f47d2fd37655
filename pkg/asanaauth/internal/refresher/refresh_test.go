package refresher_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestARefreshCostsOneReadAndTwoWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		time.Sleep(50 * time.Minute)
		// Read the keyring now, so that the reads that are counted below do not include
		// it.
		if _, err := p.Keys.Ring(context.Background()); err != nil {
			t.Fatal(err)
		}
		inst.Table.Reset()
		if got := p.MustToken(cookie, 3000*time.Second).ExpiresIn; got != time.Hour {
			t.Errorf("ExpiresIn = %v, want 1h", got)
		}
		authtest.WantCount(t, "reads", inst.Table.Count("read"), 1)
		authtest.WantCount(t, "writes", inst.Table.Count("write"), 2)
		for _, op := range inst.Table.Calls() {
			if isWrite(op) {
				authtest.WantCount(t, "rows in a write", len(op.Changes), 1)
			}
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Lease != "" || !hot.LeaseEnd.IsZero() {
			t.Errorf("the row still has the lease %q", hot.Lease)
		}
	})
}

// Other callers wait while a process has the lease. Therefore, the process must fetch the
// data keys and the client secrets, which can be slow, before it takes the lease.
func TestTheLeaseIsTakenWhenEverythingIsReady(t *testing.T) {
	for name, unavailable := range map[string]func(*authtest.Installation){
		"keys": func(inst *authtest.Installation) {
			inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		},
		"client secrets": func(inst *authtest.Installation) { inst.Secrets.Set(errors.New("unavailable")) },
	} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				unavailable(inst)
				inst.Table.Reset()
				_, err := inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.TryAgain)
				authtest.WantCount(t, "writes", inst.Table.Count("write"), 0)
				authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
			})
		})
	}
}

func TestOthersGetTheOldTokenWhileItIsValid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		old := inst.Process().MustToken(cookie, 0)
		time.Sleep(58 * time.Minute)
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: 7 * time.Second})
		holder := make(chan token.Token, 1)
		go func() { holder <- inst.Process().MustToken(cookie, someTTL) }()
		time.Sleep(time.Second)
		began := time.Now()
		other := inst.Process().MustToken(cookie, someTTL)
		if took := time.Since(began); took != 0 {
			t.Errorf("the other caller waited %v although its token is valid", took)
		}
		if !other.Access.Equal(old.Access) || other.ExpiresIn != 119*time.Second {
			t.Errorf("the other caller got a token that expires in %v, want the old token", other.ExpiresIn)
		}
		if (<-holder).Access.Equal(old.Access) {
			t.Error("the holder got the old token")
		}
	})
}

func TestAnOldSessionDoesNotGetTheTokenOfANewConsent(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Rows.Edit(cookie.Reveal(), leasedFor(5*time.Second))
		go func() {
			time.Sleep(time.Second)
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
				hot.Epoch, hot.Generation, hot.Expires = "another", 2, time.Now().Add(time.Hour)
			})
		}()
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.Unauthenticated)
	})
}

func TestAConnectionThatWasDeletedMustBeReconnected(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Rows.Edit(cookie.Reveal(), leasedFor(5*time.Second))
		go func() {
			time.Sleep(time.Second)
			inst.Rows.Delete(store.HotKey(authtest.ConnectionOf(cookie)))
		}()
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
	})
}

func TestAValidTokenIsServedWhileAsanaIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		time.Sleep(58 * time.Minute)
		inst.Switches(func(s *asanatest.Switches) { s.Down = true })
		for range 3 {
			if got := inst.Process().MustToken(cookie, someTTL).ExpiresIn; got != 2*time.Minute {
				t.Errorf("ExpiresIn = %v, want 2m", got)
			}
		}
		authtest.WantCount(t, "requests", inst.Refreshes(), 1)
	})
}

func TestAnotherClientIDChangesNothing(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		before := inst.Rows.Hot(cookie.Reveal())
		_, err := inst.Process(func(s *authtest.Settings) { s.ClientID = "999" }).Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.Misconfigured)
		authtest.WantCount(t, "requests", inst.Refreshes(), 0)
		if inst.Rows.Hot(cookie.Reveal()).Rev != before.Rev {
			t.Error("the row was written")
		}
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmWrongClient), 1)
		inst.Process().MustToken(cookie, 0)
	})
}

// A call takes as long as possible: it waits for a lease, its refresh is slow, and it
// revokes the new tokens because it cannot save them. It must still end before its Lambda
// function times out after 28 seconds.
func TestACallEndsBeforeItsFunction(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		inst.Rows.Edit(cookie.Reveal(), leasedFor(12*time.Second))
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: 7 * time.Second, Before: func(*http.Request) {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
				*hot = store.Hot{Head: hot.Head, Connection: hot.Connection, Kind: hot.Kind, Owner: hot.Owner, Status: row.Disconnected, Grant: 9}
			})
		}})
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Delay: time.Minute})
		began := time.Now()
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		if took := time.Since(began); took > 27*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
