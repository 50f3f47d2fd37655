package session_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func open(p *authtest.Process, cookie secret.String) error {
	_, err := p.Sessions.Open(context.Background(), cookie)
	return err
}

func TestAnEmptyConfigReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	const want = "asanaauth: Store is missing\nasanaauth: Keys is missing"
	if s, err := session.New(session.Config{}); s != nil || fmt.Sprint(err) != want {
		t.Errorf("New() = %v, %v; want %s", s, err, want)
	}
	if r, err := session.NewRedeemer(session.Config{}); r != nil || fmt.Sprint(err) != want {
		t.Errorf("NewRedeemer() = %v, %v; want %s", r, err, want)
	}
}

func TestSessionsNeedOnlyStoreAndKeys(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		c := session.Config{Store: inst.Rows, Keys: p.Keys}
		sessions, err := session.New(c)
		if err != nil {
			t.Fatal(err)
		}
		redeemer, err := session.NewRedeemer(c)
		if err != nil {
			t.Fatal(err)
		}
		before := len(inst.Asana.Requests())
		time.Sleep(2 * time.Hour) // the access token expires, and the next Open extends the idle timeout
		s, err := sessions.Open(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		profile, err := sessions.Profile(t.Context(), s)
		if err != nil || profile.AsanaUser != asanatest.Member || profile.Status != asanaauth.Active {
			t.Errorf("Profile() = %+v, %v", profile, err)
		}
		code, _, err := sessions.Code(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := redeemer.Redeem(t.Context(), code); err != nil || d.ID != s.Connection().ID() {
			t.Errorf("Redeem() = %+v, %v", d, err)
		}
		if err := sessions.SignOut(t.Context(), cookie); err != nil {
			t.Errorf("SignOut() = %v", err)
		}
		authtest.WantKind(t, open(p, cookie), asanaauth.Unauthenticated)
		authtest.WantCount(t, "requests to Asana", len(inst.Asana.Requests())-before, 0)
	})
}

func TestASessionIsOneRead(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Table.Reset()
		s := p.Session(cookie)
		if _, err := p.Sessions.Profile(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		calls := inst.Table.Calls()
		if len(calls) != 1 || calls[0].Name != "read" || len(calls[0].Keys) != 3 {
			t.Errorf("calls: %+v", calls)
		}
		if s.Connection().ID() != authtest.ConnectionOf(cookie) {
			t.Errorf("connection %q", s.Connection().ID())
		}
		if want := "session:" + store.HashText(cookie.Reveal()).String()[:8]; session.CallerOf(cookie) != want {
			t.Errorf("caller %q, want %q", session.CallerOf(cookie), want)
		}
	})
}

func TestInvalidCookies(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member).Reveal()
		other := p.SignIn(asanatest.Guest).Reveal()
		id, rest, _ := strings.Cut(cookie, ".")
		otherID, otherRest, _ := strings.Cut(other, ".")
		for name, c := range map[string]struct {
			value string
			reads int // expected reads; 0 if the text does not have the format of a cookie value
		}{
			"nothing":                  {"", 0},
			"a dot":                    {".", 0},
			"the id":                   {id, 0},
			"the id and a dot":         {id + ".", 0},
			"the secret":               {rest, 0},
			"a dot and the secret":     {"." + rest, 0},
			"no dot":                   {id + rest, 0},
			"another prefix":           {"xon_" + id[4:] + "." + rest, 0},
			"no prefix":                {id[4:] + "." + rest, 0},
			"upper case":               {strings.ToUpper(id) + "." + rest, 0},
			"a short id":               {id[:len(id)-1] + "." + rest, 0},
			"a long id":                {id + "a." + rest, 0},
			"a row's key":              {"c#" + id[4:] + "." + rest, 0},
			"a space before":           {" " + cookie, 0},
			"NUL":                      {"con_\x00" + id[5:] + "." + rest, 0},
			"quotes":                   {`"` + cookie + `"`, 0},
			"a space after":            {cookie + " ", 1},
			"a newline after":          {cookie + "\n", 1},
			"twice":                    {cookie + cookie, 1},
			"two dots":                 {id + ".." + rest, 1},
			"a shorter secret":         {cookie[:len(cookie)-1], 1},
			"a longer secret":          {cookie + "A", 1},
			"an unknown secret":        {id + "." + strings.Repeat("A", 43), 1},
			"a large secret":           {id + "." + strings.Repeat("A", 64<<10), 1},
			"an unknown connection":    {"con_" + strings.Repeat("a", 32) + "." + rest, 1},
			"another session's id":     {otherID + "." + rest, 1},
			"another session's secret": {id + "." + otherRest, 1},
			"the hash of the cookie":   {id + "." + store.HashText(cookie).String(), 1},
			"an attempt's secret":      {id + "." + p.Begin().Browser.Reveal(), 1},
		} {
			inst.Table.Reset()
			s, err := p.Sessions.Open(t.Context(), secret.New(c.value))
			if s != nil || asanaauth.KindOf(err) != asanaauth.Unauthenticated {
				t.Errorf("%s: Open() = %v", name, err)
			}
			authtest.WantCount(t, name+": reads", inst.Table.Count("read"), c.reads)
		}
	})
}

func TestABrokenConnectionKeepsItsSession(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Expire()
		inst.Switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
		_, err := p.Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		profile, err := p.Sessions.Profile(t.Context(), p.Session(cookie))
		if err != nil || profile.Status != asanaauth.Broken || profile.Name.Reveal() != "Mia Member" {
			t.Errorf("Profile() = %+v, %v", profile, err)
		}
	})
}

// mixedReads is a store whose reads return old versions of some rows together with the
// current versions of the others.
type mixedReads struct {
	store.Store
	old   store.Rows // the rows to return instead of the current ones; a nil row is left out
	times int        // how many reads return old rows
	reads int
}

func (s *mixedReads) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	rows, err := s.Store.Read(ctx, keys...)
	if len(keys) != 3 {
		return rows, err
	}
	if s.reads++; s.reads <= s.times {
		for key, row := range s.old {
			if rows[key] = row; row == nil {
				delete(rows, key)
			}
		}
	}
	return rows, err
}

func TestRowsOfDifferentConsentsAreReadAgain(t *testing.T) {
	t.Parallel()
	for _, which := range []string{"hot", "cold", "no cold"} {
		for times, kind := range map[int]asanaauth.ErrorKind{1: "", 2: "", 1000: asanaauth.TryAgain} {
			t.Run(fmt.Sprintf("old %s row, %d times", which, times), func(t *testing.T) {
				authtest.Bubble(t, func(t *testing.T) {
					inst := authtest.New(t)
					cookie := inst.Process().SignIn(asanatest.Member)
					key := map[string]store.Key{"hot": store.HotKey(authtest.ConnectionOf(cookie))}[which]
					if key == (store.Key{}) {
						key = store.ColdKey(authtest.ConnectionOf(cookie))
					}
					old, err := inst.Rows.Read(t.Context(), key)
					if err != nil {
						t.Fatal(err)
					}
					if which == "no cold" {
						old[key] = nil
					}
					inst.Process().SignIn(asanatest.Member)
					table := &mixedReads{Store: inst.Rows, old: old, times: times}
					p := inst.Process(func(s *authtest.Settings) { s.Store = table })
					s, err := p.Sessions.Open(t.Context(), cookie)
					if kind != "" {
						authtest.WantKind(t, err, kind)
						if table.reads > 10 {
							t.Errorf("%d reads", table.reads)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					authtest.WantCount(t, "reads", table.reads, times+1)
					if profile, err := p.Sessions.Profile(t.Context(), s); err != nil || profile.Name.IsZero() {
						t.Errorf("Profile() = %+v, %v", profile, err)
					}
				})
			})
		}
	}
}

// If the table cannot be read, or the keyring cannot be opened, Open must not return
// Unauthenticated, so that the browser stays signed in.
func TestAFailureIsNotAMissingSession(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func(*authtest.Installation)
		kind asanaauth.ErrorKind
	}{
		"the table is down": {func(inst *authtest.Installation) {
			inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
		}, asanaauth.TryAgain},
		"the table is slow": {func(inst *authtest.Installation) {
			inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, context.DeadlineExceeded }
		}, asanaauth.TryAgain},
		"KMS is down": {func(inst *authtest.Installation) {
			inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		}, asanaauth.TryAgain},
		"KMS refuses": {func(inst *authtest.Installation) {
			inst.KMS.Hook = func(string) error { return seal.ErrDenied }
		}, asanaauth.TryAgain},
		"a row of another release": {func(inst *authtest.Installation) {
			inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, store.ErrFormat }
		}, asanaauth.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(asanatest.Member)
				c.fail(inst)
				authtest.WantKind(t, open(inst.Process(), cookie), c.kind)
				inst.Table.Hook, inst.KMS.Hook = nil, nil
				inst.Process().Session(cookie)
				if inst.Log.Says("alarm", "unseal_failed") > 0 {
					t.Error("the alarm of a forged row was raised")
				}
			})
		})
	}
}
