package asanaauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests use these texts as input, for example as a name or in a response from Asana.
// No log line, error or row may contain one of them.
const (
	markedName    = "Marker Of A Name"
	markedEmail   = "marker.of.an.address@example"
	markedPicture = "marker-of-a-picture"
	markedSecret  = "marker-of-another-client-secret"
	markedBody    = "marker-of-a-body"
	markedError   = "marker-of-an-error"
	markedOwner   = "marker-of-an-owner"
	markedPerson  = "marker-of-a-person"
)

type leaks struct {
	t    testing.TB
	inst *authtest.Installation
	hunt *authtest.Hunt
}

func newLeaks(t *testing.T, markers map[string]string) leaks {
	t.Helper()
	inst := authtest.New(t)
	inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
	if err := inst.Asana.UpdatePerson(asanatest.Member, func(p *asanatest.Person) {
		p.Name, p.Email, p.Picture = markedName, markedEmail, "https://photos.example/"+markedPicture+".png"
	}); err != nil {
		t.Fatal(err)
	}
	markers[markedName], markers[markedEmail], markers[markedPicture] = "a name", "an address", "a picture"
	return leaks{t, inst, inst.NewHunt(markers)}
}

// process returns a new process. The search for secrets includes the secrets in the
// process's requests to Asana and in Asana's responses.
func (l leaks) process() *authtest.Process {
	l.t.Helper()
	return l.inst.Process(authtest.WithOpenID, func(s *authtest.Settings) { s.Transport = l.hunt })
}

// TestNothingLeaks makes the calls of a frontend and causes every known failure. No log
// line, error, printed value or row may contain a secret, or plain text about the person.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		l := newLeaks(t, map[string]string{
			authtest.ClientSecret: "the client secret", markedSecret: "the other client secret",
			markedBody: "a response's body", markedError: "a response's error",
		})
		l.inst.Secrets.Set(nil, authtest.ClientSecret, markedSecret)
		cookie := l.signIn()
		l.sendInvalidRequests()
		l.useSession(cookie)
		l.asanaFails(cookie)
		l.tableFails()
		l.keysAndSecretsFail(cookie)
		l.tamper()
		l.disconnect()
		l.hunt.Finish(200, 200, 300)
	})
}

// signIn signs a person in. It also calls Callback with responses that must be rejected.
func (l leaks) signIn() (cookie secret.String) {
	for name, change := range map[string]func(*login.CallbackRequest){
		"good":         func(*login.CallbackRequest) {},
		"denied":       func(r *login.CallbackRequest) { r.Error = "access_denied" },
		"other error":  func(r *login.CallbackRequest) { r.Error = markedError },
		"issuer":       func(r *login.CallbackRequest) { r.Issuer = "https://" + markedError + ".example" },
		"wrong code":   func(r *login.CallbackRequest) { r.Code = secret.New("0/" + markedError) },
		"wrong state":  func(r *login.CallbackRequest) { r.State = markedError },
		"bad ID token": func(r *login.CallbackRequest) { r.IDToken = secret.New(markedError + ".x.y") },
	} {
		p := l.process()
		attempt, err := p.Authorizer.Authorize(context.Background(), login.AuthorizeRequest{AppState: "app-state"})
		l.hunt.Note(err)
		q := authtest.Query(l.t, attempt.URL)
		l.hunt.Secret("the state", q.Get("state"))
		l.hunt.Secret("the nonce", q.Get("nonce"))
		l.hunt.Secret("the browser's secret", attempt.Browser.Reveal())
		answer := p.Answer(attempt, asanatest.Member)
		l.hunt.Secret("the code", answer.Code.Reveal())
		change(&answer)
		out, err := p.Callback(answer)
		l.hunt.Note(err, out)
		if (err == nil) != (name == "good") {
			l.t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			cookie = out.Session
		}
		out, err = p.Callback(answer)
		l.hunt.Note(err, out)
	}
	l.hunt.Secret("the cookie", cookie.Reveal())
	l.hunt.Secret("the cookie's secret", strings.TrimPrefix(cookie.Reveal(), authtest.ConnectionOf(cookie)+"."))
	return cookie
}

func (l leaks) sendInvalidRequests() {
	for _, r := range []login.AuthorizeRequest{
		{ReturnTo: "https://" + markedError + ".example"}, {AppState: markedError + "!"}, {Link: markedError},
	} {
		_, err := l.process().Authorizer.Authorize(context.Background(), r)
		l.hunt.Note(err)
	}
}

func (l leaks) useSession(cookie secret.String) {
	ctx, p := context.Background(), l.process()
	s := p.Session(cookie)
	profile, err := p.Sessions.Profile(ctx, s)
	l.hunt.Note(err, profile, session.CallerOf(cookie))
	if profile.Name.Reveal() != markedName || profile.Email.IsZero() || profile.Picture.IsZero() {
		l.t.Errorf("the profile does not contain the markers")
	}
	for range 2 {
		got, err := p.Token(cookie, 0)
		l.hunt.Note(err, got)
		list, err := p.Members(cookie)
		l.hunt.Note(err, list)
		l.inst.Expire()
	}
	_, err = p.Sessions.Open(ctx, secret.New(authtest.ConnectionOf(cookie)+"."+markedError))
	l.hunt.Note(err)
	for _, workspace := range []string{markedError, "4711"} {
		_, err = p.Memberships.In(ctx, p.Session(cookie).Connection(), workspace, "")
		l.hunt.Note(err)
	}
}

// callEverything makes each call that a session allows. It ignores errors, because some
// tests make the calls fail.
func (l leaks) callEverything(cookie secret.String) {
	got, err := l.process().Token(cookie, 3000*time.Second)
	l.hunt.Note(err, got)
	list, err := l.process().Members(cookie)
	l.hunt.Note(err, list)
	p := l.process()
	out, err := p.Callback(p.Answer(p.Begin(), asanatest.Member))
	l.hunt.Note(err, out)
	time.Sleep(10 * time.Minute)
}

func (l leaks) asanaFails(cookie secret.String) {
	body := `{"error":"` + markedError + `","error_description":"` + markedBody + `","errors":[{"message":"` + markedBody + `"}]}`
	elsewhere := http.Header{"Location": {"https://" + markedError + ".example"}}
	for _, f := range []asanatest.Fault{
		{Status: 400, Body: body}, {Status: 401, Body: body}, {Status: 403, Body: body}, {Status: 500, Body: body},
		{Status: 302, Body: body, Header: elsewhere}, {Body: body}, {Body: markedBody}, {Cut: true}, {CutAfterApply: true}, {Delay: time.Minute},
	} {
		for _, path := range []string{
			authtest.TokenPath, authtest.WorkspacesPath, authtest.MembershipsPath(asanatest.Member), authtest.UserInfoPath,
		} {
			l.inst.Expire()
			f.Path, f.Times = path, -1
			l.inst.Asana.Inject(f)
			l.callEverything(cookie)
			l.inst.Asana.ClearFaults()
		}
	}
}

func (l leaks) tableFails() {
	cookie := l.process().SignIn(asanatest.Member)
	for _, err := range []error{store.ErrUnavailable, store.ErrFormat} {
		for _, name := range []string{"read", "write"} {
			p := l.process()
			answer := p.Answer(p.Begin(), asanatest.Member)
			l.hunt.Secret("the state", answer.State)
			l.inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				return op.Name != name, authtest.FailIf(op.Name == name, err)
			}
			out, err := l.process().Callback(answer)
			l.hunt.Note(err, out)
			_, err = l.process().Authorizer.Authorize(context.Background(), login.AuthorizeRequest{})
			l.hunt.Note(err)
			got, err := l.process().Token(cookie, 0)
			l.hunt.Note(err, got)
			l.inst.Table.Hook = nil
		}
	}
}

func (l leaks) keysAndSecretsFail(cookie secret.String) {
	for _, err := range []error{seal.ErrUnavailable, seal.ErrDenied} {
		l.inst.KMS.Hook = func(string) error { return err }
		l.callEverything(cookie)
		l.inst.KMS.Hook = nil
	}
	l.inst.Secrets.Set(errors.New("the client secrets cannot be read"))
	l.callEverything(cookie)
	l.inst.Secrets.Set(nil, markedSecret)
	l.callEverything(cookie)
	l.inst.Secrets.Set(nil, authtest.ClientSecret)
	time.Sleep(time.Minute)
}

func (l leaks) tamper() {
	cookie := l.process().SignIn(asanatest.Member)
	l.inst.Rows.EditCold(cookie.Reveal(), func(c *store.Cold) { c.Name, c.Email = c.Email, c.Name })
	p := l.process()
	_, err := p.Sessions.Profile(context.Background(), p.Session(cookie))
	l.hunt.Note(err)
	l.inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Access = hot.Refresh })
	got, err := l.process().Token(cookie, 0)
	l.hunt.Note(err, got)
}

// disconnect signs a person in three times. It disconnects the first connection while
// the revocation fails at Asana. For the second, the grant is revoked at Asana, and a
// token is then requested. The third is disconnected without a failure.
func (l leaks) disconnect() {
	cookie := l.process().SignIn(asanatest.Member)
	l.inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Status: 500, Body: markedBody})
	d, err := l.process().Disconnect(cookie)
	l.hunt.Note(err, d)
	cookie = l.process().SignIn(asanatest.Member)
	if err := l.inst.Asana.RevokeGrants(asanatest.Member); err != nil {
		l.t.Fatal(err)
	}
	l.inst.Expire()
	got, err := l.process().Token(cookie, 0)
	l.hunt.Note(err, got)
	cookie = l.process().SignIn(asanatest.Member)
	d, err = l.process().Disconnect(cookie)
	l.hunt.Note(err, d)
	if err != nil || d.Status != asanaauth.Disconnected {
		l.t.Errorf("Disconnect() = %+v, %v; want disconnected", d, err)
	}
}

// TestNothingOfBackendsLeaks is like TestNothingLeaks, but makes the calls of a backend.
func TestNothingOfBackendsLeaks(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		l := newLeaks(t, map[string]string{markedOwner: "an owner", markedPerson: "a person"})
		p := l.process()
		id := l.connect(p)
		l.importAll(p)
		time.Sleep(2 * time.Hour)
		got, err := p.TokenOf(id, token.Request{})
		l.hunt.Secret("a token", got.Access.Reveal())
		l.hunt.Note(got, err)
		l.sessionCode(p)
		done, err := p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: markedOwner})
		l.hunt.Note(done, err)
		l.hunt.Finish(30, 25, 35)
	})
}

func (l leaks) connect(p *authtest.Process) (id string) {
	made, err := p.Links("default").Create(authtest.BackendContext(), link.Request{Owner: markedOwner, Person: markedPerson})
	l.hunt.Note(made, err)
	path := authtest.LinkToken(l.t, made)
	l.hunt.Secret("a link", path)
	follow := func() secret.String {
		code := p.Follow(path, asanatest.Member)
		l.hunt.Secret("a connect code", code.Reveal())
		l.hunt.Note(code)
		return code
	}
	_, err = p.Redeem(follow(), "another owner", markedPerson)
	l.hunt.Note(err)
	code := follow()
	l.inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
	_, err = p.Redeem(code, markedOwner, markedPerson)
	l.hunt.Note(err)
	l.inst.Table.Hook = nil
	d, err := p.Redeem(code, markedOwner, markedPerson)
	if err != nil {
		l.t.Fatal(err)
	}
	l.hunt.Note(err, d.AttributedTo)
	return d.ID
}

func (l leaks) importAll(p *authtest.Process) {
	for _, r := range []connection.ImportRequest{
		{Kind: asanaauth.PersonalAccessToken, Token: secret.New(l.inst.Asana.PersonalAccessToken(asanatest.Member))},
		{Kind: asanaauth.ServiceAccount, Token: secret.New(l.inst.Asana.ServiceAccountToken(asanatest.ServiceAccount))},
		{Kind: asanaauth.ServiceAccount, Token: l.inst.Grant(asanatest.Guest)},
		{RefreshToken: l.inst.Grant(asanatest.Guest)},
		{RefreshToken: l.inst.Grant(asanatest.Member)}, // fails, because this person is already connected
		{RefreshToken: secret.New("marker-of-an-unknown-token")},
	} {
		r.Owner = markedOwner
		l.hunt.Secret("an imported token", r.Token.Reveal())
		l.hunt.Secret("an imported refresh token", r.RefreshToken.Reveal())
		got, err := p.Import(r)
		l.hunt.Note(r.Token, r.RefreshToken, err, got.AttributedTo)
	}
}

func (l leaks) sessionCode(p *authtest.Process) {
	code, end, err := p.Sessions.Code(context.Background(), p.Session(p.SignIn(asanatest.Member)))
	l.hunt.Secret("a session code", code.Reveal())
	l.hunt.Note(code, end, err)
	for range 2 {
		_, err = p.SessionCodes.Redeem(authtest.BackendContext(), code)
		l.hunt.Note(err)
	}
}
