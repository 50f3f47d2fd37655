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
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestTheCallersCancellationDoesNotEndARequest(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		ctx, cancel := context.WithCancel(t.Context())
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: time.Second, Before: func(*http.Request) { cancel() }})
		if _, err := inst.Process().Ask(ctx, cookie, token.Request{}); err != nil {
			t.Logf("the caller that has gone: %v", err)
		}
		if got := inst.Rows.Hot(cookie.Reveal()).Grant; got != 2 {
			t.Errorf("grant = %d, want 2: the response was not saved", got)
		}
		inst.Expire()
		inst.Process().MustToken(cookie, 0)
	})
}

func TestATokenRequestHasEightSeconds(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: time.Minute})
		began := time.Now()
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		var e *asanaauth.Error
		if !errors.As(err, &e) || !e.Timeout {
			t.Errorf("%v does not say that Asana took too long", err)
		}
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("gave up after %v, want 8s", took)
		}
	})
}

func acceptOnlyNextSecret(inst *authtest.Installation) {
	inst.App(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = authtest.NextSecret, "" })
}

// If Asana rejects the cached client secret, the refresh must fetch the client secrets
// again and try the new one.
func TestAReplacedClientSecretIsFetchedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.AccessTokenSeconds = 60 })
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		acceptOnlyNextSecret(inst)
		inst.Secrets.Set(nil, authtest.NextSecret)
		time.Sleep(58 * time.Second)
		p.MustToken(cookie, 0)
		authtest.WantCount(t, "fetches", inst.Secrets.Calls(), 2)
		authtest.WantCount(t, "requests", inst.Refreshes(), 2)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmSecretRejected), 0)
	})
}

func TestACachedClientSecretIsUsedWhileItsSourceIsUnavailable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Expire()
		inst.Secrets.Set(errors.New("unavailable"))
		p.MustToken(cookie, 0)
		authtest.WantCount(t, "fetches", inst.Secrets.Calls(), 2)
	})
}

func TestTheClientSecretThatWorkedIsTriedFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		acceptOnlyNextSecret(inst)
		inst.Secrets.Set(nil, authtest.ClientSecret, authtest.NextSecret)
		inst.Expire()
		p.MustToken(cookie, 0)
		authtest.WantCount(t, "requests of the first refresh", inst.Refreshes(), 2)
		inst.Expire()
		p.MustToken(cookie, 0)
		authtest.WantCount(t, "requests of both", inst.Refreshes(), 3)
	})
}

func TestNoClientSecretWorks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.App(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = "a third one", "" })
		inst.Expire()
		fetched := inst.Secrets.Calls()
		_, err := p.Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.Misconfigured)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmSecretRejected), 1)
		hot := inst.Rows.Hot(cookie.Reveal())
		if hot.Status != row.Active || hot.Lease != "" || !hot.CoolUntil.After(time.Now()) {
			t.Errorf("got row: %s, lease %q, cool-down until %v", hot.Status, hot.Lease, hot.CoolUntil)
		}
		for range 5 {
			time.Sleep(9 * time.Second)
			_, err := p.Token(cookie, 0)
			authtest.WantKind(t, err, asanaauth.Misconfigured)
		}
		if got := inst.Secrets.Calls() - fetched; got > 3 {
			t.Errorf("the secret was fetched %d times in 45 seconds, want once in 30", got)
		}
	})
}

func TestTwoClientSecretsShareEightSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		acceptOnlyNextSecret(inst)
		inst.Secrets.Set(nil, authtest.ClientSecret, authtest.NextSecret)
		inst.Expire()
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Times: 2, Delay: 6 * time.Second})
		began := time.Now()
		_, err := p.Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("took %v, want 8s for both", took)
		}
	})
}
