package asanaauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// hunter sees all that is secret pass by on the wire.
type hunter struct {
	next http.RoundTripper

	mu      sync.Mutex
	secrets map[string]string // what it is, by its text
}

func (s *hunter) note(what, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(text) > 8 {
		s.secrets[text] = what
	}
}

// RoundTrip notes what is sent in forms and headers, and the tokens of answers.
func (s *hunter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		for _, name := range []string{"code", "code_verifier", "client_secret", "refresh_token", "token"} {
			s.note("the request's "+name, form.Get(name))
		}
	}
	s.note("a bearer token", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	answer, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var tokens map[string]any
	if json.Unmarshal(body, &tokens) == nil {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			text, _ := tokens[name].(string)
			s.note("the answer's "+name, text)
		}
	}
	return answer, err
}

// trip is a whole life with this house, and collects what is said of it.
type trip struct {
	h    *house
	s    *hunter
	said []string
	rows map[string]string // every state of every row, written down
}

// note keeps an outcome for the hunt: an error, or what a caller could print.
func (l *trip) note(outcomes ...any) {
	for _, o := range outcomes {
		l.said = append(l.said, fmt.Sprintf("%v %+v %#v %s %q", o, o, o, o, o))
	}
	for _, row := range l.h.all() {
		name := fmt.Sprint(row.Key(), row.(interface{ Revision() int64 }).Revision())
		if _, ok := l.rows[name]; !ok {
			l.rows[name] = written(row)
		}
	}
}

// hunt looks for every secret in everything that was said or kept.
func (l *trip) hunt() {
	l.h.t.Helper()
	said := l.h.log.String() + strings.Join(l.said, "\n")
	rows := strings.Join(slices.Collect(maps.Values(l.rows)), "\n")
	for text, what := range l.s.secrets {
		for _, form := range append(forms(text), url.QueryEscape(text)) {
			if strings.Contains(said, form) {
				l.h.t.Errorf("%s was said", what)
			}
			if strings.Contains(rows, form) {
				l.h.t.Errorf("%s is in a row", what)
			}
		}
	}
}

// One life with every kind of trouble that we know: nothing secret, and nothing
// of the person, is in any log line, error, printed value or row.
func TestNothingLeaks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t).signs()
		h.secrets.set(nil, "first secret", "marker-of-another-client-secret")
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.IDTokenInTokenResponse = true, true })
		hunts := &hunter{next: h.wire, secrets: map[string]string{
			"first secret": "the client secret", "marker-of-another-client-secret": "the other client secret",
			"Marker Of A Name": "a name", "marker.of.an.address@example": "an address", "marker-of-a-picture": "a picture",
			"marker-of-a-body": "an answer's body", "marker-of-an-error": "an answer's error",
		}}
		if err := h.asana.UpdatePerson(asanatest.Member, func(p *asanatest.Person) {
			p.Name, p.Email, p.Picture = "Marker Of A Name", "marker.of.an.address@example", "https://photos.example/marker-of-a-picture.png"
		}); err != nil {
			t.Fatal(err)
		}
		life := &trip{h: h, s: hunts, rows: map[string]string{}}
		process := func() *process {
			return h.process(withOpenID, func(s *settings) { s.transport = hunts })
		}
		cookie := life.connect(process)
		hunts.note("the cookie", cookie.Reveal())
		hunts.note("the cookie's secret", strings.TrimPrefix(cookie.Reveal(), connectionOf(cookie)+"."))
		life.use(process, cookie)
		life.trouble(process, cookie)
		life.leave(process, cookie)
		if len(hunts.secrets) < 100 || len(life.rows) < 100 || len(life.said) < 30 {
			t.Errorf("the hunt was for %d secrets in %d rows and %d outcomes", len(hunts.secrets), len(life.rows), len(life.said))
		}
		life.hunt()
	})
}

// connect signs in, after what can go wrong before.
func (l *trip) connect(process func() *process) secret.String {
	var cookie secret.String
	for name, change := range map[string]func(*asanaauth.FinishRequest){
		"good":         func(*asanaauth.FinishRequest) {},
		"denied":       func(r *asanaauth.FinishRequest) { r.Error = "access_denied" },
		"other error":  func(r *asanaauth.FinishRequest) { r.Error = "marker-of-an-error" },
		"issuer":       func(r *asanaauth.FinishRequest) { r.Issuer = "https://marker-of-an-error.example" },
		"wrong code":   func(r *asanaauth.FinishRequest) { r.Code = secret.New("0/marker-of-an-error") },
		"wrong state":  func(r *asanaauth.FinishRequest) { r.State = "marker-of-an-error" },
		"bad ID token": func(r *asanaauth.FinishRequest) { r.IDToken = secret.New("marker-of-an-error.x.y") },
	} {
		p := process()
		begun, err := p.login.Begin(context.Background(), asanaauth.BeginRequest{AppState: "app-state"})
		l.note(err)
		u, err := url.Parse(begun.URL)
		if err != nil {
			l.h.t.Fatal(err)
		}
		l.s.note("the state", u.Query().Get("state"))
		l.s.note("the nonce", u.Query().Get("nonce"))
		l.s.note("the browser's secret", begun.Browser.Reveal())
		answer := p.answer(begun, asanatest.Member)
		l.s.note("the code", answer.Code.Reveal())
		change(&answer)
		finished, err := p.finish(answer)
		l.note(err, finished)
		if (err == nil) != (name == "good") {
			l.h.t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			cookie = finished.Session
		}
		finished, err = p.finish(answer)
		l.note(err, finished)
	}
	_, err := process().login.Begin(context.Background(), asanaauth.BeginRequest{ReturnTo: "https://marker-of-an-error.example"})
	l.note(err)
	_, err = process().login.Begin(context.Background(), asanaauth.BeginRequest{AppState: "marker-of-an-error!"})
	l.note(err)
	_, err = process().login.Begin(context.Background(), asanaauth.BeginRequest{Link: "marker-of-an-error"})
	l.note(err)
	return cookie
}

// use does what a frontend does.
func (l *trip) use(process func() *process, cookie secret.String) {
	ctx := context.Background()
	p := process()
	s := p.session(cookie)
	profile, err := p.conns.Profile(ctx, s)
	l.note(err, profile, s.Caller())
	if profile.Name.Reveal() != "Marker Of A Name" || profile.Email.IsZero() || profile.Picture.IsZero() {
		l.h.t.Errorf("the profile is not the marked one")
	}
	for range 2 {
		token, err := p.token(cookie, 0)
		l.note(err, token)
		list, err := p.members(cookie)
		l.note(err, list)
		l.h.expire()
	}
	_, err = p.conns.Session(ctx, secret.New(connectionOf(cookie)+".marker-of-an-error"))
	l.note(err)
	_, err = p.memberships.In(ctx, &p.session(cookie).Connection, "marker-of-an-error", "")
	l.note(err)
	_, err = p.memberships.In(ctx, &p.session(cookie).Connection, "4711", "")
	l.note(err)
}

// trouble lets everything go wrong once.
func (l *trip) trouble(process func() *process, cookie secret.String) {
	h := l.h
	body := `{"error":"marker-of-an-error","error_description":"marker-of-a-body","errors":[{"message":"marker-of-a-body"}]}`
	ask := func() {
		token, err := process().token(cookie, 3000*time.Second)
		l.note(err, token)
		list, err := process().members(cookie)
		l.note(err, list)
		finished, err := process().finish(process().answer(process().begin(), asanatest.Member))
		l.note(err, finished)
		time.Sleep(10 * time.Minute)
	}
	for _, f := range []asanatest.Fault{
		{Status: 400, Body: body}, {Status: 401, Body: body}, {Status: 403, Body: body}, {Status: 500, Body: body}, {Status: 302, Body: body, Header: http.Header{"Location": {"https://marker-of-an-error.example"}}},
		{Body: body}, {Body: "marker-of-a-body"}, {Cut: true}, {CutAfterApply: true}, {Delay: time.Minute},
	} {
		for _, path := range []string{tokenPath, workspacesPath, membershipsPath(asanatest.Member), userInfoPath} {
			h.expire()
			f.Path, f.Times = path, -1
			h.asana.Inject(f)
			ask()
			h.asana.ClearFaults()
		}
	}
	cookie = process().signIn(asanatest.Member)
	for _, err := range []error{store.ErrUnavailable, store.ErrFormat} {
		for _, name := range []string{"read", "write"} {
			begun := process().begin()
			answer := process().answer(begun, asanatest.Member)
			l.s.note("the state", answer.State)
			h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				return op.Name != name, failIf(op.Name == name, err)
			}
			finished, err := process().finish(answer)
			l.note(err, finished)
			_, err = process().login.Begin(context.Background(), asanaauth.BeginRequest{})
			l.note(err)
			token, err := process().token(cookie, 0)
			l.note(err, token)
			h.table.Hook = nil
		}
	}
	for _, err := range []error{seal.ErrUnavailable, seal.ErrDenied} {
		h.kms.Hook = func(string) error { return err }
		ask()
		h.kms.Hook = nil
	}
	h.secrets.set(fmt.Errorf("secrets manager is away"))
	ask()
	h.secrets.set(nil, "marker-of-another-client-secret")
	ask()
	h.secrets.set(nil, "first secret")
	time.Sleep(time.Minute)
	cold := h.cold(cookie)
	cold.Name, cold.Email = cold.Email, cold.Name
	h.writes(cold)
	_, err := process().conns.Profile(context.Background(), process().session(cookie))
	l.note(err)
	hot := h.hot(cookie)
	hot.Access = hot.Refresh
	h.writes(hot)
	token, err := process().token(cookie, 0)
	l.note(err, token)
}

// leave ends it, with Asana away at first.
func (l *trip) leave(process func() *process, _ secret.String) {
	cookie := process().signIn(asanatest.Member)
	l.h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Status: 500, Body: "marker-of-a-body"})
	d, err := process().disconnect(cookie)
	l.note(err, d)
	cookie = process().signIn(asanatest.Member)
	if err := l.h.asana.RevokeGrants(asanatest.Member); err != nil {
		l.h.t.Fatal(err)
	}
	l.h.expire()
	token, err := process().token(cookie, 0)
	l.note(err, token)
	cookie = process().signIn(asanatest.Member)
	d, err = process().disconnect(cookie)
	l.note(err, d)
	if err != nil || d.Status != store.Disconnected {
		l.h.t.Errorf("leaving: %+v, %v", d, err)
	}
}
