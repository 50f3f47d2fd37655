package asanaauth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// The tests of this file follow "Connecting", 1 and 2, and what a consent
// writes.

func (p *process) finish(r asanaauth.FinishRequest) (asanaauth.Finished, error) {
	return p.login.Finish(context.Background(), r)
}

// all returns every row of the table, past all hooks.
func (h *house) all() []store.Row {
	h.t.Helper()
	var all []store.Row
	for cursor := ""; ; {
		page, next, err := h.rows.Scan(context.Background(), cursor)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, page...)
		if cursor = next; cursor == "" {
			return all
		}
	}
}

// kept counts the rows by their type, those of attempts and keys left out.
func (h *house) kept() map[string]int {
	h.t.Helper()
	n := map[string]int{}
	for _, row := range h.all() {
		switch row.(type) {
		case *store.Attempt, *store.Keyring:
		default:
			n[fmt.Sprintf("%T", row)]++
		}
	}
	return n
}

func (h *house) wantNothingKept() {
	h.t.Helper()
	if kept := h.kept(); len(kept) > 0 {
		h.t.Errorf("kept: %v", kept)
	}
}

func (h *house) wantOneConnection(sessions int) {
	h.t.Helper()
	want := map[string]int{"*store.Hot": 1, "*store.Cold": 1, "*store.UserPointer": 1, "*store.Session": sessions}
	if kept := h.kept(); fmt.Sprint(kept) != fmt.Sprint(want) {
		h.t.Errorf("kept: %v, want %v", kept, want)
	}
}

func (h *house) attempt(state string) *store.Attempt {
	h.t.Helper()
	key := store.AttemptKey(store.HashText(state))
	rows, err := h.rows.Read(context.Background(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	attempt, _ := rows[key].(*store.Attempt)
	if attempt == nil {
		h.t.Fatal("there is no attempt")
	}
	return attempt
}

// written gives a row as text, its bytes in every way that bytes are written.
func written(row store.Row) string {
	var b strings.Builder
	for name, value := range store.Encode(row) {
		fmt.Fprintln(&b, name, value)
		if raw, ok := value.([]byte); ok {
			fmt.Fprintln(&b, string(raw), hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw))
		}
	}
	return b.String()
}

// forms of a text: as it is, decoded from base64url, and both in hexadecimal.
func forms(text string) []string {
	all := []string{text, hex.EncodeToString([]byte(text))}
	if raw, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(raw) >= 16 {
		all = append(all, string(raw), hex.EncodeToString(raw))
	}
	return all
}

// holds reports whether a row has the text anywhere.
func holds(row store.Row, text string) bool {
	in := written(row)
	return slices.ContainsFunc(forms(text), func(form string) bool { return strings.Contains(in, form) })
}

// sniffer notes the forms that processes send to the token endpoint.
type sniffer struct {
	next http.RoundTripper

	mu    sync.Mutex
	forms []url.Values
}

func (s *sniffer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/-/oauth_token" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.forms = append(s.forms, form)
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.next.RoundTrip(r)
}

func (h *house) exchanges() int { return h.asana.CountRequests("authorization_code") }

func query(t *testing.T, raw string) url.Values {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

const openID = "default openid email profile"

func withOpenID(s *settings) { s.scopes = openID }

func TestTheAuthorizeURL(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		begun := h.process(withOpenID).begin()
		q := query(t, begun.URL)
		for name, want := range map[string]string{
			"client_id": clientID, "redirect_uri": redirectURI, "response_type": "code",
			"scope": openID, "code_challenge_method": "S256",
		} {
			if got := q.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if raw, err := base64.RawURLEncoding.DecodeString(q.Get(name)); err != nil || len(raw) != 32 {
				t.Errorf("%s is not 32 bytes: %q", name, q.Get(name))
			}
		}
		if sum := sha256.Sum256([]byte(q.Get("state"))); begun.Attempt != hex.EncodeToString(sum[:8]) {
			t.Errorf("the attempt's name is %q", begun.Attempt)
		}
		if got := query(t, h.process().begin().URL).Get("nonce"); got != "" {
			t.Errorf("a nonce although openid is not asked: %q", got)
		}
		if got := query(t, h.process(func(s *settings) { s.scopes = "default openidx" }).begin().URL).Get("nonce"); got != "" {
			t.Errorf("a nonce for another scope: %q", got)
		}
		both := h.process(withOpenID, func(s *settings) { s.responseType = "code id_token" }).begin()
		if got := query(t, both.URL).Get("response_type"); got != "code id_token" {
			t.Errorf("response_type = %q", got)
		}
	})
}

// Neither who reads the table nor who has the browser alone can finish a trip.
func TestTheAttemptTellsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		sniffed := &sniffer{next: h.wire}
		p := h.process(withOpenID, func(s *settings) { s.transport = sniffed })
		begun := p.begin()
		rows := h.all()
		answer := p.answer(begun, asanatest.Member)
		if _, err := p.finish(answer); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, h.all()...)
		for what, text := range map[string]string{
			"state": answer.State, "browser secret": begun.Browser.Reveal(), "code": answer.Code.Reveal(),
			"nonce": query(t, begun.URL).Get("nonce"), "verifier": sniffed.forms[0].Get("code_verifier"),
		} {
			if len(text) < 20 {
				t.Errorf("%s is %d bytes long", what, len(text))
			}
			for _, row := range rows {
				if holds(row, text) {
					t.Errorf("a %T holds the %s", row, what)
				}
			}
		}
		if verifier := sniffed.forms[0].Get("code_verifier"); verifier == begun.Browser.Reveal() || verifier == query(t, begun.URL).Get("nonce") {
			t.Error("the verifier is known to the browser")
		}
		if known := begun.Browser.Reveal(); known == answer.State || strings.Contains(begun.URL, known) {
			t.Error("the browser's secret is in the URL")
		}
		spent := h.attempt(answer.State)
		if !spent.Taken || len(spent.Salt)+len(spent.ReturnURL)+len(spent.AppState)+len(spent.Scopes)+len(spent.RedirectURI) > 0 {
			t.Errorf("the spent marker is more than one: %+v", spent)
		}
	})
}

func TestBeginRefuses(t *testing.T) {
	long := strings.Repeat("a", 257)
	for name, c := range map[string]struct {
		request asanaauth.BeginRequest
		kind    asanaauth.ErrorKind
	}{
		"another address":   {asanaauth.BeginRequest{ReturnTo: "https://evil.example/done"}, asanaauth.InvalidRequest},
		"a longer address":  {asanaauth.BeginRequest{ReturnTo: returnURL + "/x"}, asanaauth.InvalidRequest},
		"a query":           {asanaauth.BeginRequest{ReturnTo: returnURL + "?x"}, asanaauth.InvalidRequest},
		"another case":      {asanaauth.BeginRequest{ReturnTo: strings.ToUpper(returnURL)}, asanaauth.InvalidRequest},
		"a part":            {asanaauth.BeginRequest{ReturnTo: returnURL[:len(returnURL)-1]}, asanaauth.InvalidRequest},
		"app_state: blank":  {asanaauth.BeginRequest{AppState: "a b"}, asanaauth.InvalidRequest},
		"app_state: long":   {asanaauth.BeginRequest{AppState: long}, asanaauth.InvalidRequest},
		"app_state: umlaut": {asanaauth.BeginRequest{AppState: "ü"}, asanaauth.InvalidRequest},
		"app_state: inside": {asanaauth.BeginRequest{AppState: "a&b"}, asanaauth.InvalidRequest},
		"app_state: line":   {asanaauth.BeginRequest{AppState: "a\n"}, asanaauth.InvalidRequest},
		"a link":            {asanaauth.BeginRequest{Link: "a-link"}, asanaauth.LinkExpired},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			begun, err := h.process().login.Begin(t.Context(), c.request)
			wantKind(t, err, c.kind)
			if begun.URL != "" || !begun.Browser.IsZero() {
				t.Error("something was begun")
			}
			wantCount(t, "rows", len(h.all()), 0)
		})
	}
}

func TestLinksOnly(t *testing.T) {
	h := newHouse(t)
	login, err := asanaauth.NewLogin(h.process().conns.Parts, asanaauth.LoginOptions{
		RedirectURI: redirectURI, ReturnURLs: []string{returnURL}, Scopes: "default", LinksOnly: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = login.Begin(t.Context(), asanaauth.BeginRequest{})
	wantKind(t, err, asanaauth.InvalidRequest)
	_, err = login.Begin(t.Context(), asanaauth.BeginRequest{Link: "a-link"})
	wantKind(t, err, asanaauth.LinkExpired)
	wantCount(t, "rows", len(h.all()), 0)
}

func TestALoginNeedsItsParts(t *testing.T) {
	parts := newHouse(t).process().conns.Parts
	good := asanaauth.LoginOptions{RedirectURI: redirectURI, ReturnURLs: []string{returnURL}}
	if login, err := asanaauth.NewLogin(parts, good); err != nil || login.Home() != returnURL {
		t.Errorf("NewLogin() = %v", err)
	}
	noStore, noAsana, noURI, noReturn := parts, parts, good, good
	noStore.Store, noAsana.Asana, noURI.RedirectURI, noReturn.ReturnURLs = nil, nil, "", nil
	for name, err := range map[string]error{
		"store":        second(asanaauth.NewLogin(noStore, good)),
		"Asana":        second(asanaauth.NewLogin(noAsana, good)),
		"redirect URI": second(asanaauth.NewLogin(parts, noURI)),
		"return URL":   second(asanaauth.NewLogin(parts, noReturn)),
	} {
		if err == nil {
			t.Errorf("a login without %s", name)
		}
	}
}

func second[A any](_ A, err error) error { return err }

func TestBeginWithTheTableAway(t *testing.T) {
	h := newHouse(t)
	h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, errAway }
	_, err := h.process().login.Begin(t.Context(), asanaauth.BeginRequest{})
	wantKind(t, err, asanaauth.TryAgain)
}

// What the app sent along comes back, whatever the outcome.
func TestReturnURLAndAppStateComeBack(t *testing.T) {
	const second = "https://app.example.com/second?x=1"
	state := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-" + strings.Repeat("z", 192)
	for name, change := range map[string]func(*asanaauth.FinishRequest){
		"connected":  func(*asanaauth.FinishRequest) {},
		"denied":     func(r *asanaauth.FinishRequest) { r.Error = "access_denied" },
		"wrong code": func(r *asanaauth.FinishRequest) { r.Code = secret.New("0/wrong") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process(func(s *settings) { s.returnURLs = []string{returnURL, second} })
				begun, err := p.login.Begin(t.Context(), asanaauth.BeginRequest{ReturnTo: second, AppState: state})
				if err != nil {
					t.Fatal(err)
				}
				answer := p.answer(begun, asanatest.Member)
				change(&answer)
				finished, err := p.finish(answer)
				if (err == nil) != (name == "connected") || finished.Session.IsZero() != (err != nil) {
					t.Errorf("Finish() = %v", err)
				}
				if finished.ReturnURL != second || finished.AppState != state {
					t.Errorf("back to %q with %q", finished.ReturnURL, finished.AppState)
				}
			})
		})
	}
}

func TestAnAttemptServesOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		answer := p.answer(p.begin(), asanatest.Member)
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(time.Second) // all have found the attempt by now
			}
			return true, nil
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 10 {
			wg.Go(func() {
				finished, err := h.process().finish(answer)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if asanaauth.KindOf(err) != asanaauth.LoginExpired || finished.ReturnURL != "" {
					t.Errorf("a loser got %q, %v", finished.ReturnURL, err)
				}
			})
		}
		wg.Wait()
		wantCount(t, "winners", won, 1)
		wantCount(t, "exchanges", h.exchanges(), 1)
		h.wantOneConnection(1)
		_, err := p.finish(answer)
		wantKind(t, err, asanaauth.LoginExpired)
	})
}

func TestAStrangerCannotBurnAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		answer := p.answer(p.begin(), asanatest.Member)
		h.table.Reset()
		for name, change := range map[string]func(*asanaauth.FinishRequest){
			"another browser's secret": func(r *asanaauth.FinishRequest) { r.Browser = p.begin().Browser },
			"no secret":                func(r *asanaauth.FinishRequest) { r.Browser = secret.String{} },
			"an unknown state":         func(r *asanaauth.FinishRequest) { r.State = "unknown" },
			"no state":                 func(r *asanaauth.FinishRequest) { r.State = "" },
			"another browser, denied":  func(r *asanaauth.FinishRequest) { r.Browser, r.Error = secret.New("x"), "access_denied" },
			"the hash of the secret": func(r *asanaauth.FinishRequest) {
				r.Browser = secret.New(store.HashText(r.Browser.Reveal()).String())
			},
		} {
			stranger := answer
			change(&stranger)
			finished, err := p.finish(stranger)
			if asanaauth.KindOf(err) != asanaauth.LoginExpired || finished.ReturnURL != "" {
				t.Errorf("%s: back to %q, %v", name, finished.ReturnURL, err)
			}
		}
		wantCount(t, "exchanges", h.exchanges(), 0)
		if _, err := p.finish(answer); err != nil {
			t.Errorf("the right browser: %v", err)
		}
	})
}

func TestAnAttemptLivesTenMinutes(t *testing.T) {
	for wait, good := range map[time.Duration]bool{
		10*time.Minute - time.Millisecond: true,
		10 * time.Minute:                  false,
	} {
		t.Run(wait.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				begun := p.begin()
				time.Sleep(wait)
				_, err := p.finish(p.answer(begun, asanatest.Member))
				if good && err != nil {
					t.Errorf("Finish() = %v", err)
				}
				if !good {
					wantKind(t, err, asanaauth.LoginExpired)
					wantCount(t, "exchanges", h.exchanges(), 0)
				}
			})
		})
	}
}

func TestAReturnURLThatIsNoLongerAllowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		answer := p.answer(p.begin(), asanatest.Member)
		finished, err := h.process(func(s *settings) { s.returnURLs = []string{"https://app.example.com/new"} }).finish(answer)
		wantKind(t, err, asanaauth.LoginExpired)
		if finished.ReturnURL != "" || h.attempt(answer.State).Taken {
			t.Errorf("back to %q, attempt taken: %v", finished.ReturnURL, h.attempt(answer.State).Taken)
		}
		if _, err := p.finish(answer); err != nil {
			t.Errorf("where it is allowed: %v", err)
		}
	})
}

// Trouble of our own before the attempt is taken takes nothing: a reload works.
func TestTroubleBeforeTakingTakesNothing(t *testing.T) {
	away := func(name string) func(*house) {
		return func(h *house) {
			h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				return false, failIf(op.Name == name, errAway)
			}
			if name == "write" {
				h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					return op.Name != "write", failIf(op.Name == "write", errAway)
				}
			}
		}
	}
	for name, trouble := range map[string]func(*house){
		"reading":            away("read"),
		"taking":             away("write"),
		"KMS away":           func(h *house) { h.kms.Hook = func(string) error { return seal.ErrUnavailable } },
		"KMS denied":         func(h *house) { h.kms.Hook = func(string) error { return seal.ErrDenied } },
		"no client secret":   func(h *house) { h.secrets.set(errors.New("away")) },
		"a half-read answer": func(h *house) { h.secrets.set(errors.New("away"), "first secret") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				if _, err := h.process().keys.Ring(t.Context()); err != nil { // not the first key's writing
					t.Fatal(err)
				}
				p := h.process()
				answer := p.answer(p.begin(), asanatest.Member)
				trouble(h)
				finished, err := p.finish(answer)
				wantKind(t, err, asanaauth.TryAgain)
				if finished.ReturnURL != "" || h.attempt(answer.State).Taken {
					t.Errorf("back to %q, attempt taken: %v", finished.ReturnURL, h.attempt(answer.State).Taken)
				}
				wantCount(t, "exchanges", h.exchanges(), 0)
				h.table.Hook, h.kms.Hook = nil, nil
				h.secrets.set(nil, "first secret")
				if _, err := p.finish(answer); err != nil {
					t.Errorf("the reload: %v", err)
				}
			})
		})
	}
}

// The taking was saved and its answer lost: the person sees a page that says
// try again, then one that says too late, and begins anew. The code is not
// redeemed by a callback that does not know whether the attempt is its own.
func TestATakingWhoseAnswerIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		p.signIn(asanatest.Guest) // the keyring is there
		answer := p.answer(p.begin(), asanatest.Member)
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			return true, failIf(op.Name == "write", errAway)
		}
		before := h.exchanges()
		finished, err := p.finish(answer)
		wantKind(t, err, asanaauth.TryAgain)
		if finished.ReturnURL != "" || !h.attempt(answer.State).Taken {
			t.Errorf("back to %q, attempt taken: %v", finished.ReturnURL, h.attempt(answer.State).Taken)
		}
		h.table.Hook = nil
		finished, err = p.finish(answer)
		wantKind(t, err, asanaauth.LoginExpired)
		if finished.ReturnURL != "" {
			t.Errorf("back to %q", finished.ReturnURL)
		}
		wantCount(t, "exchanges", h.exchanges()-before, 0)
		p.mustToken(p.signIn(asanatest.Member), 0)
	})
}

// Every operation of the table fails once, or from then on, saved or not. The
// trip ends in a session that works, or the person makes another trip and has
// one connection.
func TestCrashPointsOfLogin(t *testing.T) {
	for _, saved := range []bool{false, true} {
		for _, forEver := range []bool{false, true} {
			at := 1
			for ; crashLogin(t, at, saved, forEver); at++ {
			}
			wantCount(t, "operations of a login", at-1, 6)
		}
	}
}

// crashLogin reports whether there was an operation of this number.
func crashLogin(t *testing.T, at int, saved, forEver bool) (reached bool) {
	t.Run(fmt.Sprintf("operation %d, saved %v, for ever %v", at, saved, forEver), func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := newHouse(t)
			sniffed := &sniffer{next: h.wire}
			p := h.process(func(s *settings) { s.transport = sniffed })
			answer := p.answer(p.begin(), asanatest.Member)
			n := 0
			h.table.Hook = func(context.Context, storetest.Op) (bool, error) {
				n++
				switch {
				case n == at:
					return saved, errAway
				case n > at && forEver:
					return false, errAway
				}
				return true, nil
			}
			finished, err := p.finish(answer)
			h.table.Hook = nil
			if reached = n >= at; !reached && err != nil {
				t.Fatalf("without trouble: %v", err)
			}
			if h.exchanges() > 1 {
				t.Error("the code was redeemed twice")
			}
			sessions := 1
			if err != nil {
				wantKind(t, err, asanaauth.TryAgain)
				if !finished.Session.IsZero() {
					t.Error("a session beside an error")
				}
				sessions += h.kept()["*store.Session"] // that nobody has the cookie of
				finished.Session = h.process().signIn(asanatest.Member)
			}
			token := h.process().mustToken(finished.Session, 0)
			h.wantOneConnection(sessions)
			for _, row := range h.all() {
				for _, text := range append(h.wire.tokens, token.Access.Reveal(), answer.Code.Reveal(), finished.Session.Reveal(), "Mia Member", "mia@acme") {
					if holds(row, text) {
						t.Errorf("a %T holds %q", row, text)
					}
				}
			}
		})
	})
	return reached
}

// The answer to the consent's write is lost, and before it is looked for
// somebody else writes the connection: it still knows itself.
func TestALostConsentKnowsItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		answer := p.answer(p.begin(), asanatest.Member)
		moved := false
		h.table.Hook = func(ctx context.Context, op storetest.Op) (bool, error) {
			switch {
			case len(op.Changes) == 4 && !moved:
				return true, errAway
			case op.Name == "read" && len(op.Keys) > 2 && !moved && h.kept()["*store.Hot"] == 1:
				moved = true
				h.edit(h.cookieOf(asanatest.Member), func(*store.Hot) {})
			}
			return true, nil
		}
		finished, err := p.finish(answer)
		if err != nil || !moved {
			t.Fatalf("Finish() = %v, moved %v", err, moved)
		}
		h.table.Hook = nil
		p.mustToken(finished.Session, 0)
		h.wantOneConnection(1)
		if hot := h.hot(finished.Session); hot.Generation != 1 {
			t.Errorf("%d consents were written", hot.Generation)
		}
	})
}

// A consent that was written, and whose answer was lost, is not taken for one
// that was there before.
func TestALostConsentSaysWhatItMended(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		h.edit(p.signIn(asanatest.Member), func(hot *store.Hot) { hot.Status, hot.Reason = store.Broken, "invalid-grant" })
		lost := false
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) == 4 && !lost {
				lost = true
				return true, errAway
			}
			return true, nil
		}
		cookie := p.signIn(asanatest.Member)
		wantCount(t, "recoveries", h.log.saysAlso("recovered", "true"), 1)
		if hot := h.hot(cookie); hot.Generation != 2 {
			t.Errorf("%d consents were written", hot.Generation)
		}
	})
}

// The settings may change while somebody is on the way: the attempt's count.
func TestTheScopesOfTheAttemptCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(withOpenID)
		answer := p.answer(p.begin(), asanatest.Member)
		finished, err := h.process().finish(answer)
		if err != nil {
			t.Fatal(err)
		}
		wantCount(t, "UserInfo asked", h.asana.CountRequests(userInfoPath), 1)
		if got := h.cold(finished.Session).ScopeRequested; got != openID {
			t.Errorf("scopes asked: %q", got)
		}
	})
}

// cookieOf names the connection of somebody who signed in, as a cookie of
// theirs would.
func (h *house) cookieOf(gid string) secret.String {
	return secret.New(store.ConnectionID(store.HashText("asana:"+gid), gid, store.OAuth) + ".x")
}

func TestWhatAsanaAnswersTheAuthorization(t *testing.T) {
	for name, c := range map[string]struct {
		err, issuer string
		kind        asanaauth.ErrorKind
	}{
		"the person said no":         {"access_denied", "", asanaauth.AccessDenied},
		"the person said no, signed": {"access_denied", asanaURL, asanaauth.AccessDenied},
		"another error":              {"server_error", "", asanaauth.AsanaUnavailable},
		"no error that we know":      {"Access_Denied", "", asanaauth.AsanaUnavailable},
		"another issuer":             {"", "https://issuer.invalid", asanaauth.AsanaUnavailable},
		"a part of the issuer":       {"", "https://asana.examp", asanaauth.AsanaUnavailable},
		"an issuer with a slash":     {"", asanaURL + "/", asanaauth.AsanaUnavailable},
		"denied by another issuer":   {"access_denied", "https://issuer.invalid", asanaauth.AsanaUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				answer := p.answer(p.begin(), asanatest.Member)
				answer.Error, answer.Issuer = c.err, c.issuer
				finished, err := p.finish(answer)
				wantKind(t, err, c.kind)
				if finished.ReturnURL != returnURL || !h.attempt(answer.State).Taken {
					t.Errorf("back to %q, attempt taken: %v", finished.ReturnURL, h.attempt(answer.State).Taken)
				}
				wantCount(t, "exchanges", h.exchanges(), 0)
				h.wantNothingKept()
				answer.Error, answer.Issuer = "", ""
				_, err = p.finish(answer)
				wantKind(t, err, asanaauth.LoginExpired)
			})
		})
	}
}

func TestBothIssuersAreAsanas(t *testing.T) {
	for which, issuer := range map[string]string{"oauth": asanaURL, "openid": asanaURL + "/api/1.0", "other": "https://issuer.invalid"} {
		t.Run(which, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(func(s *asanatest.Switches) { s.IssInRedirect = which })
				p := h.process()
				answer := p.answer(p.begin(), asanatest.Member)
				if answer.Issuer != issuer {
					t.Fatalf("iss = %q", answer.Issuer)
				}
				_, err := p.finish(answer)
				if which == "other" {
					wantKind(t, err, asanaauth.AsanaUnavailable)
				} else if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestTheCodeIsRedeemedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		fault   asanatest.Fault
		kind    asanaauth.ErrorKind
		timeout bool
	}{
		"invalid_grant":   {asanatest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, asanaauth.LoginExpired, false},
		"invalid_request": {asanatest.Fault{Status: 400, Body: `{"error":"invalid_request"}`}, asanaauth.AsanaUnavailable, false},
		"a 500":           {asanatest.Fault{Status: 500, Body: `{"error":"invalid_grant"}`}, asanaauth.AsanaUnavailable, false},
		"a 429":           {asanatest.Fault{Status: 429}, asanaauth.AsanaUnavailable, false},
		"nonsense":        {asanatest.Fault{Body: "nonsense"}, asanaauth.AsanaUnavailable, false},
		"a cut":           {asanatest.Fault{Cut: true}, asanaauth.AsanaUnavailable, false},
		"a cut after it":  {asanatest.Fault{CutAfterApply: true}, asanaauth.AsanaUnavailable, false},
		"nine seconds":    {asanatest.Fault{Delay: 9 * time.Second}, asanaauth.AsanaUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.secrets.set(nil, "first secret", "second secret")
				p := h.process()
				c.fault.GrantType = "authorization_code"
				h.asana.Inject(c.fault)
				began := time.Now()
				finished, err := p.finish(p.answer(p.begin(), asanatest.Member))
				wantKind(t, err, c.kind)
				var e *asanaauth.Error
				if errors.As(err, &e) && e.Timeout != c.timeout {
					t.Errorf("Timeout = %v", e.Timeout)
				}
				if took := time.Since(began); took > 8*time.Second {
					t.Errorf("the code request took %v", took)
				}
				if finished.ReturnURL != returnURL {
					t.Errorf("back to %q", finished.ReturnURL)
				}
				wantCount(t, "exchanges", h.exchanges(), 1)
				h.wantNothingKept()
			})
		})
	}
}

func TestTheCodeAndTheOtherClientSecret(t *testing.T) {
	for name, c := range map[string]struct {
		values    []string
		exchanges int
		kind      asanaauth.ErrorKind
	}{
		"the current one works": {[]string{"first secret", "second secret"}, 1, ""},
		"the next one works":    {[]string{"old secret", "second secret"}, 2, ""},
		"none works":            {[]string{"old secret", "older secret"}, 2, asanaauth.Misconfigured},
		"the same one twice":    {[]string{"old secret", "old secret"}, 1, asanaauth.Misconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.secrets.set(nil, c.values...)
				p := h.process()
				finished, err := p.finish(p.answer(p.begin(), asanatest.Member))
				wantCount(t, "exchanges", h.exchanges(), c.exchanges)
				if c.kind == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				wantKind(t, err, c.kind)
				if finished.ReturnURL != returnURL {
					t.Errorf("back to %q", finished.ReturnURL)
				}
				wantCount(t, "alarms", h.log.says("alarm", "client_secret_rejected"), 1)
				h.wantNothingKept()
			})
		})
	}
}

func TestAnAnswerWithoutARefreshTokenIsNoConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.OmitRefreshToken = true })
		p := h.process()
		_, err := p.finish(p.answer(p.begin(), asanatest.Member))
		wantKind(t, err, asanaauth.AsanaUnavailable)
		h.wantNothingKept()
	})
}

// The verifier comes of the browser's secret and the row's salt: with another
// row's salt it is another one, and Asana refuses it.
func TestTheVerifierComesOfBothHalves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		mine := p.answer(p.begin(), asanatest.Member)
		row := h.attempt(mine.State)
		row.Salt = h.attempt(p.answer(p.begin(), asanatest.Member).State).Salt
		h.writes(row)
		_, err := p.finish(mine)
		wantKind(t, err, asanaauth.LoginExpired)
		wantCount(t, "exchanges", h.exchanges(), 1)
		h.wantNothingKept()
	})
}

func TestTheRedirectURIOfTheAttemptIsSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		sniffed := &sniffer{next: h.wire}
		p := h.process(func(s *settings) { s.transport = sniffed })
		answer := p.answer(p.begin(), asanatest.Member)
		moved, err := asanaauth.NewLogin(p.conns.Parts, asanaauth.LoginOptions{
			RedirectURI: "https://new.example.com/callback", ReturnURLs: []string{returnURL}, Scopes: "default",
			SessionTTL: time.Hour, SessionIdleTTL: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := moved.Finish(t.Context(), answer); err != nil {
			t.Error(err)
		}
		if got := sniffed.forms[0].Get("redirect_uri"); got != redirectURI {
			t.Errorf("redirect_uri = %q", got)
		}
	})
}

func TestFinishTakes25Seconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		answer := p.answer(p.begin(), asanatest.Member)
		h.table.Hook = func(ctx context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) < 4 {
				return true, nil
			}
			<-ctx.Done()
			return false, errAway
		}
		began := time.Now()
		finished, err := p.finish(answer)
		wantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took != 25*time.Second {
			t.Errorf("it took %v", took)
		}
		if finished.ReturnURL != returnURL {
			t.Errorf("back to %q", finished.ReturnURL)
		}
	})
}

func TestAConsentIsOneWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.wantOneConnection(1)
		consents := 0
		for _, op := range h.table.Calls() {
			for _, c := range op.Changes {
				switch c.Row.(type) {
				case *store.Hot, *store.Cold, *store.Session, *store.UserPointer:
					if len(op.Changes) != 4 {
						t.Errorf("a %T in a write of %d", c.Row, len(op.Changes))
					}
					consents++
				}
			}
		}
		wantCount(t, "rows of the consent", consents, 4)
		wantCount(t, "audit lines", h.log.says("audit", "connected"), 1)
		caller := "session:" + store.HashText(cookie.Reveal()).String()[:8]
		wantCount(t, "the session's name", h.log.says("caller", caller), 1)
		id, rest, _ := strings.Cut(cookie.Reveal(), ".")
		if raw, err := base64.RawURLEncoding.DecodeString(rest); err != nil || len(raw) != 32 || id != connectionOf(h.cookieOf(asanatest.Member)) {
			t.Error("the cookie is not the connection's id and 32 bytes")
		}
	})
}

// Connecting again updates and never duplicates: a new grant without the marks
// of the old one, in the same epoch, and a new session, always.
func TestConnectingAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		first := p.signIn(asanatest.Member)
		before := h.hot(first)
		created := time.Now()
		time.Sleep(time.Hour)
		h.edit(first, func(hot *store.Hot) {
			hot.Status, hot.Reason, hot.BrokenAt, hot.Tries = store.Broken, "invalid-grant", time.Now(), 2
			hot.Lease, hot.LeaseEnd, hot.Unsettled = "somebody", time.Now().Add(time.Minute), true
			hot.CoolUntil, hot.RefusedGrant, hot.RefusedAt = time.Now().Add(time.Minute), 1, time.Now()
		})
		second := p.signIn(asanatest.Member)
		if second.Equal(first) || connectionOf(second) != connectionOf(first) {
			t.Error("the session is the same, or the connection another one")
		}
		h.wantOneConnection(2)
		after := h.hot(second)
		if after.Epoch != before.Epoch || after.Generation != 2 || after.Grant != 2 {
			t.Errorf("epoch %q to %q, generation %d, grant %d", before.Epoch, after.Epoch, after.Generation, after.Grant)
		}
		if after.Status != store.Active || after.Reason != "" || after.Lease != "" || after.Unsettled || !after.CoolUntil.IsZero() ||
			!after.BrokenAt.IsZero() || after.Tries != 0 || after.RefusedGrant != 0 {
			t.Errorf("marks of the old grant are left: %+v", after)
		}
		wantCount(t, "recoveries", h.log.saysAlso("recovered", "true"), 1)
		a, b := p.mustToken(first, 0), p.mustToken(second, 0)
		if !a.Access.Equal(b.Access) {
			t.Error("the two sessions hold different tokens")
		}
		for _, row := range h.all() {
			if cold, ok := row.(*store.Cold); ok && (!cold.Created.Equal(created) || !cold.Updated.Equal(time.Now()) || cold.Generation != 2) {
				t.Errorf("created %v, updated %v, generation %d", cold.Created, cold.Updated, cold.Generation)
			}
		}
	})
}

// Two trips of one person that end at once both end well.
func TestTwoTripsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) == 4 {
				time.Sleep(time.Second) // all have read by now
			}
			return true, nil
		}
		var wg sync.WaitGroup
		cookies := make([]secret.String, 3)
		for i := range cookies {
			wg.Go(func() { cookies[i] = h.process().signIn(asanatest.Member) })
		}
		wg.Wait()
		h.wantOneConnection(3)
		for _, cookie := range cookies {
			h.process().mustToken(cookie, 0)
		}
		if hot := h.hot(cookies[0]); hot.Generation != 3 || hot.Grant != 3 {
			t.Errorf("generation %d, grant %d", hot.Generation, hot.Grant)
		}
	})
}

func TestAnIDTokenNeedsItsScope(t *testing.T) {
	h := newHouse(t)
	p := h.process()
	o := asanaauth.LoginOptions{RedirectURI: redirectURI, ReturnURLs: []string{returnURL}, ResponseType: "code id_token", Scopes: "default"}
	if _, err := asanaauth.NewLogin(p.login.Parts, o); err == nil {
		t.Error("an ID token was asked for without the scope openid")
	}
	o.Scopes = "default openid"
	if _, err := asanaauth.NewLogin(p.login.Parts, o); err != nil {
		t.Error(err)
	}
}
