package functions_test

import (
	"net/http"
	"testing"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// startBlocked starts a function whose table leaves one call of an action unanswered: the
// call after the first pass calls.
func (d *deployment) startBlocked(t *testing.T, name, action string, pass int) *lambdatest.Function {
	t.Helper()
	rows := d.proxies[name].rows
	through := rows.URL
	h, url := newBlockingProxy(t, through, action, false)
	h.pass.Store(int32(pass))
	t.Cleanup(func() { close(h.end) })
	rows.URL = url
	defer func() { rows.URL = through }()
	return d.start(t, name)
}

// TestOneUnansweredWrite checks the saves of tokens that cannot be obtained again: those of
// a redeemed code, and a rotated refresh token. If DynamoDB leaves the first try
// unanswered, the function must try again and lose nothing.
func TestOneUnansweredWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *deployment, map[string]*lambdatest.Function){
		"sign-in": func(t *testing.T, d *deployment, f map[string]*lambdatest.Function) {
			newBrowser().signIn(t, d, f["authorize"], d.startBlocked(t, "callback", "TransactWriteItems", 0))
		},
		"held consent": func(t *testing.T, d *deployment, f map[string]*lambdatest.Function) {
			s, b := saas{connections: f["connections"], arn: saasARN}, newBrowser()
			link := s.mustSend(t, http.MethodPost, "/links", `{"owner":"o"}`, http.StatusCreated).text("url")
			f["callback"] = d.startBlocked(t, "callback", "TransactWriteItems", 0)
			code := b.followLink(t, d, f, link, asanatest.Member)
			s.mustSend(t, http.MethodPost, "/connections", `{"connect_code":`+quoted(code)+`,"owner":"o"}`, http.StatusCreated)
		},
		"refresh": func(t *testing.T, d *deployment, f map[string]*lambdatest.Function) {
			b := newBrowser()
			b.signIn(t, d, f["authorize"], f["callback"])
			d.expire(t)
			refresh := d.startBlocked(t, "refresh", "PutItem", 1) // the first PutItem takes the lease
			token := b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK).text("access_token")
			if !accepted(t, d, token) {
				t.Error("Asana does not accept the token")
			}
			d.expire(t)
			b.mustSend(t, f["refresh"], http.MethodPost, "/refresh", "", http.StatusOK)
		},
		"import": func(t *testing.T, d *deployment, f map[string]*lambdatest.Function) {
			s := saas{connections: d.startBlocked(t, "connections", "TransactWriteItems", 0), arn: saasARN}
			body := `{"refresh_token":` + quoted(d.asana.RefreshToken(clientID, asanatest.Member)) + `,"owner":"o"}`
			s.mustSend(t, http.MethodPost, "/connections", body, http.StatusCreated)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			if err := d.asana.SetSwitches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true }); err != nil {
				t.Fatal(err)
			}
			test(t, d, d.startAll(t))
		})
	}
}
