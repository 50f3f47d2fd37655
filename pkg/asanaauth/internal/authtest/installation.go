// Package authtest contains helpers for the tests of asanaauth's packages. Only tests
// import it.
//
// An [Installation] is everything that the processes of a deployment share: the table, a
// key wrapper in place of KMS, the client secrets, offline Asana, and the log. All of
// these run in memory, and tests can make them fail: the table and the key wrapper with
// hooks, and offline Asana with the methods Inject and SetSwitches.
//
// A [Process] is one process of an installation, for example a Lambda sandbox. A Process
// contains the main type of each package, wired as in the Lambda functions, and has short
// methods that do what a browser, a frontend or a backend does.
//
// A typical test signs a person in, lets time pass, and requests a token:
//
//	authtest.Bubble(t, func(t *testing.T) {
//		inst := authtest.New(t)
//		cookie := inst.Process().SignIn(asanatest.Member)
//		inst.Expire()
//		token := inst.Process().MustToken(cookie, 0)
//	})
//
// A method without an error result fails the test if an error occurs. A method that takes
// a cookie acts as a frontend. A method that takes a connection's ID acts as a backend.
//
// [Rows] reads and changes the table like an attacker who can write the table. [Hunt]
// searches logs, errors and rows for secrets.
package authtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The configuration of an installation.
const (
	ReturnURL      = "https://app.example.com/done"
	OtherReturnURL = "https://app.example.com/other"
	RedirectURI    = "https://auth.example.com/callback"
	AuthorizeURL   = "https://auth.example.com/authorize"
	AsanaURL       = "https://asana.example"
	ClientID       = "1300000000000001"
	ClientSecret   = "first secret"
	NextSecret     = "second secret"
	Name           = "installation" // the installation's name in sealed fields
)

// The paths of Asana's endpoints, with which tests inject faults and count requests.
const (
	TokenPath      = "/-/oauth_token"
	RevokePath     = "/-/oauth_revoke"
	IntrospectPath = "/-/token_info"
	UserInfoPath   = "/api/1.0/openid_connect/userinfo"
	MePath         = "/api/1.0/users/me"
	WorkspacesPath = "/api/1.0/workspaces"
)

// MembershipsPath returns the path at which Asana lists a user's workspace memberships.
func MembershipsPath(gid string) string { return "/api/1.0/users/" + gid + "/workspace_memberships" }

// Bubble runs a test in a synctest bubble. The test has its own clock, and waiting takes
// no real time.
func Bubble(t *testing.T, f func(*testing.T)) { t.Helper(); synctest.Test(t, f) }

// Installation is everything that the processes of a deployment share.
type Installation struct {
	T       testing.TB        // the test that uses the installation
	Rows    *Rows             // the table, without hooks
	Table   *storetest.Faulty // the same table with hooks, which the processes use
	KMS     *sealtest.Faulty  // the key wrapper in place of KMS
	Secrets *SecretsManager   // the source of the client secrets
	Asana   *asanatest.Asana  // the offline Asana
	Wire    *Wiretap          // the HTTP transport between the processes and Asana
	Log     *Log              // the log of all processes
}

// New returns an installation whose Asana app is registered for Full permissions (the
// scope default) and for the OpenID scopes.
func New(t testing.TB) *Installation {
	t.Helper()
	rows := &Rows{&store.Memory{}, t}
	inst := &Installation{
		T:       t,
		Rows:    rows,
		Table:   &storetest.Faulty{Store: rows},
		KMS:     &sealtest.Faulty{Wrapper: local.New([32]byte{1})},
		Secrets: &SecretsManager{values: []string{ClientSecret}},
		Log:     &Log{},
	}
	inst.UseAsana(inst.NewAsana(nil))
	return inst
}

// signingKey signs the ID tokens in all tests. The tests share a key because generating an
// RSA key is slow.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// NewAsana returns an offline Asana that knows the installation's app. The function
// change can modify Asana's options, and may be nil.
func (inst *Installation) NewAsana(change func(*asanatest.Options)) *asanatest.Asana {
	inst.T.Helper()
	key, err := signingKey()
	if err != nil {
		inst.T.Fatal(err)
	}
	o := asanatest.Options{
		BaseURL: AsanaURL,
		Key:     key,
		Apps: []asanatest.App{{
			ClientID: ClientID, ClientSecret: ClientSecret, NextClientSecret: NextSecret,
			RedirectURIs: []string{RedirectURI}, Scopes: []string{"default", "openid", "email", "profile"},
		}},
	}
	if change != nil {
		change(&o)
	}
	offline, err := asanatest.New(o)
	if err != nil {
		inst.T.Fatal(err)
	}
	return offline
}

// UseAsana replaces the installation's offline Asana. Only processes that are started
// later use the new Asana.
func (inst *Installation) UseAsana(offline *asanatest.Asana) {
	inst.Asana, inst.Wire = offline, &Wiretap{next: offline.Transport()}
}

// App changes the app's registration at Asana, for example its client secrets.
func (inst *Installation) App(change func(*asanatest.App)) {
	inst.T.Helper()
	if err := inst.Asana.UpdateApp(ClientID, change); err != nil {
		inst.T.Fatal(err)
	}
}

// Switches changes the settings of offline Asana, for example whether it rotates refresh
// tokens.
func (inst *Installation) Switches(change func(*asanatest.Switches)) {
	inst.T.Helper()
	if err := inst.Asana.SetSwitches(change); err != nil {
		inst.T.Fatal(err)
	}
}

// InRequest runs f while Asana processes the next token request with the given grant type.
func (inst *Installation) InRequest(grantType string, f func()) {
	inst.Asana.Inject(asanatest.Fault{GrantType: grantType, Before: func(*http.Request) { f() }})
}

// RefuseWritesAfter makes the table fail every write for the duration d, from the next
// token request with this grant type on.
func (inst *Installation) RefuseWritesAfter(grantType string, d time.Duration) {
	var down atomic.Int64 // the end of the failures, in Unix nanoseconds
	inst.InRequest(grantType, func() { down.Store(time.Now().Add(d).UnixNano()) })
	inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
		refused := op.Name == "write" && time.Now().UnixNano() < down.Load()
		return !refused, FailIf(refused, ErrTableDown)
	}
}

// Refreshes returns how many refresh requests Asana has received.
func (inst *Installation) Refreshes() int { return inst.Asana.CountRequests("refresh_token") }

// Exchanges returns how many code exchanges Asana has received.
func (inst *Installation) Exchanges() int { return inst.Asana.CountRequests("authorization_code") }

// Revocations returns how many revocation requests Asana has received.
func (inst *Installation) Revocations() int { return inst.Asana.CountRequests(RevokePath) }

// Unwraps returns how many times KMS was asked to unwrap the keyring.
func (inst *Installation) Unwraps() int { return inst.KMS.Calls(sealtest.OpUnwrap) }

// Expire waits until an access token that Asana issued just now is valid for only two
// more seconds, which is too short for any caller. Expire waits for less than an hour,
// because the use of a session after an hour extends its idle timeout, which would cause
// one more write.
func (inst *Installation) Expire() { time.Sleep(time.Hour - 2*time.Second) }

// RotateKey adds a new primary data key to the keyring and returns the key's ID.
func (inst *Installation) RotateKey() uint32 {
	inst.T.Helper()
	ctx := context.Background()
	row := Row[*store.Keyring](inst.Rows, store.KeyringKey)
	encctx := seal.Context(Name)
	plain, err := inst.KMS.Wrapper.Unwrap(ctx, row.Wrapped, row.KMSKey, encctx)
	if err != nil {
		inst.T.Fatal(err)
	}
	ring, err := seal.ParseRing(Name, plain)
	if err != nil {
		inst.T.Fatal(err)
	}
	if ring, err = ring.Rotate(rand.Reader, time.Now()); err != nil {
		inst.T.Fatal(err)
	}
	if row.Wrapped, row.KMSKey, err = inst.KMS.Wrapper.Wrap(ctx, ring.Bytes(), encctx); err != nil {
		inst.T.Fatal(err)
	}
	inst.Rows.Forge(row)
	return ring.Primary()
}

// ErrTableDown is the error of a table that cannot be reached.
var ErrTableDown = errors.Join(store.ErrUnavailable, errors.New("the table is down"))

// FailIf returns err if fails is true, and nil otherwise.
func FailIf(fails bool, err error) error {
	if fails {
		return err
	}
	return nil
}

// SecretsManager returns client secrets to processes, in place of AWS Secrets Manager. A
// SecretsManager is safe for concurrent use.
type SecretsManager struct {
	mu     sync.Mutex
	values []string
	err    error
	calls  int
}

// Set sets what ClientSecrets returns from now on: an error, which may be nil, and client
// secrets.
func (s *SecretsManager) Set(err error, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values, s.err = values, err
}

// Calls returns how many times ClientSecrets was called.
func (s *SecretsManager) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// ClientSecrets returns the client secrets and the error that were passed to Set. The
// method implements clientsecret.Source.
func (s *SecretsManager) ClientSecrets(context.Context) ([]secret.String, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	var out []secret.String
	for _, v := range s.values {
		out = append(out, secret.New(v))
	}
	return out, s.err
}

// WantKind fails the test unless err has the given kind.
func WantKind(t testing.TB, err error, kind asanaauth.ErrorKind) {
	t.Helper()
	if asanaauth.KindOf(err) != kind {
		t.Fatalf("got error %v, want %s", err, kind)
	}
}

// WantMistakes fails the test unless the lines of err are exactly the texts in want, in
// any order. It is for the error of a constructor, which has one line for each mistake in
// the Config.
func WantMistakes(t testing.TB, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("got no error, want %q", want)
	}
	got := strings.Split(err.Error(), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got errors\n%q, want\n%q", got, want)
	}
}

// WantCount reports a test error unless got equals want. The parameter "what" names the
// count in the error message.
func WantCount(t testing.TB, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %d, want %d", what, got, want)
	}
}
