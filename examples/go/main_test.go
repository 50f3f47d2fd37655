package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/internal/awstest"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The app of "asanaauth local" at its offline Asana.
const (
	clientID     = "1300000000008484"
	clientSecret = "offline-local-app"
)

// TestExample runs the program on servers of AWS's APIs, against the offline Asana of
// "asanaauth local".
func TestExample(t *testing.T) {
	deployed := awstest.New(t, clientSecret)
	asana := startAsana(t)
	d, err := onaws.Open(t.Context(), onaws.Options{
		AWS: deployed.AWS, TableName: deployed.Table, KMSKeyIDs: []string{deployed.KeyARN},
		ClientID: clientID, ClientSecretARN: deployed.SecretARN, AsanaBaseURL: asana.url,
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for who, r := range map[string]connection.ImportRequest{
		"person": {RefreshToken: asana.grant(asanatest.Member)},
		"broken": {RefreshToken: asana.grant(asanatest.Admin)},
		"viewer": {Token: asana.token(asanatest.ViewOnly), Kind: asanaauth.PersonalAccessToken},
		"bot":    {Token: asana.token(asanatest.Bot), Kind: asanaauth.PersonalAccessToken},
	} {
		r.Owner = "acme"
		got, err := d.Connections().Import(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		ids[who] = got.ID
	}
	// Of all that is of OAuth, Asana refuses the access tokens; the admin has taken the
	// consent back, too.
	asana.post("/_offline/expire", "", "")
	asana.post("/-/oauth_revoke", "application/x-www-form-urlencoded", url.Values{
		"client_id": {clientID}, "client_secret": {clientSecret}, "token": {asana.grant(asanatest.Admin).Reveal()}}.Encode())

	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), lambdatest.Build(t, "."), "acme", asanatest.Acme)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(deployed.Environ(), "HOME="+t.TempDir(), "ASANA_CLIENT_ID="+clientID, "ASANA_BASE_URL="+asana.url, "ASANA_SCOPES=default",
		"PUBLIC_URL=https://auth.example.com", "RETURN_URLS=https://app.example.com/done")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &errs)
	}
	for who, want := range map[string]string{
		"person": "Mia Member made the task ",
		"bot":    "Build Bot made the task ",
		"viewer": "Vic Viewer has a view only licence",
		"broken": "has to connect again: https://auth.example.com/authorize?link=",
	} {
		if !strings.Contains(out.String(), ids[who]+": "+want) {
			t.Errorf("it does not say %q of the %s", want, who)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != len(ids) || t.Failed() {
		t.Errorf("%d lines:\n%s%s", n, &out, &errs)
	}
	if strings.Contains(out.String()+errs.String(), asana.last) {
		t.Error("a token was printed")
	}
}

// offline is a running offline Asana.
type offline struct {
	t           *testing.T
	url, public string
	last        string // token that it gave
}

// startAsana starts "asanaauth local", whose Asana serves until the test ends.
func startAsana(t *testing.T) *offline {
	t.Helper()
	cmd := exec.Command(lambdatest.Build(t, "../../cmd/asanaauth"),
		"local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", t.TempDir())
	cmd.Env = []string{"HOME=" + t.TempDir()}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	stuck := time.AfterFunc(40*time.Second, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	o := &offline{t: t}
	for lines := bufio.NewScanner(stdout); o.public == "" && lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), " "); name {
		case "offline-asana":
			o.url = value
		case "ready":
			o.public = value
		}
	}
	if o.url == "" || o.public == "" {
		t.Fatal("asanaauth local does not start")
	}
	return o
}

// post sends a body, and returns the answer's and where it redirects to.
func (o *offline) post(path, contentType, body string) (text []byte, location *url.URL) {
	o.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Post(o.url+path, contentType, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err != nil || answer.StatusCode >= 400 {
		o.t.Fatalf("%s: %d, %v", path, answer.StatusCode, err)
	}
	location, _ = answer.Location()
	return text, location
}

// token is a long-lived token of a person or a bot.
func (o *offline) token(gid string) secret.String {
	o.t.Helper()
	text, _ := o.post("/_offline/tokens", "application/json", `{"person":"`+gid+`"}`)
	var body struct{ Token string }
	return o.given(text, &body, &body.Token)
}

// grant is the refresh token of a consent.
func (o *offline) grant(gid string) secret.String {
	o.t.Helper()
	const form = "application/x-www-form-urlencoded"
	redirect := url.Values{"client_id": {clientID}, "redirect_uri": {o.public + "/callback"}}
	consent := url.Values{"response_type": {"code"}, "state": {"s"}, "scope": {"default"}, "person": {gid}, "decision": {"allow"}}
	_, back := o.post("/-/oauth_authorize", form, redirect.Encode()+"&"+consent.Encode())
	if back == nil {
		o.t.Fatal("no redirect")
	}
	exchange := url.Values{"grant_type": {"authorization_code"}, "client_secret": {clientSecret}, "code": {back.Query().Get("code")}}
	text, _ := o.post("/-/oauth_token", form, redirect.Encode()+"&"+exchange.Encode())
	var body struct {
		Refresh string `json:"refresh_token"`
	}
	return o.given(text, &body, &body.Refresh)
}

func (o *offline) given(text []byte, body any, token *string) secret.String {
	o.t.Helper()
	if err := json.Unmarshal(text, body); err != nil || *token == "" {
		o.t.Fatalf("no token: %v", err)
	}
	o.last = *token
	return secret.New(*token)
}
