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

// Credentials of the app in the offline Asana that "asanaauth local" starts.
const (
	clientID     = "1300000000008484"
	clientSecret = "offline-local-app"
)

// TestExample runs the program with local AWS servers and an offline Asana.
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
	// Expire all access tokens, and revoke the admin's grant. The program then prints
	// that the admin has to connect again.
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
		"person": "Mia Member created the task ",
		"bot":    "Build Bot created the task ",
		"viewer": "Vic Viewer has a view-only license",
		"broken": "has to connect again: https://auth.example.com/authorize?link=",
	} {
		if !strings.Contains(out.String(), ids[who]+": "+want) {
			t.Errorf("the output has no line with %q for the %s", want, who)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != len(ids) || t.Failed() {
		t.Errorf("got %d lines, want %d:\n%s%s", n, len(ids), &out, &errs)
	}
	if strings.Contains(out.String()+errs.String(), asana.last) {
		t.Error("the output contains a token")
	}
}

type offline struct {
	t           *testing.T
	url, public string
	last        string // the last token that offline Asana issued
}

// startAsana runs "asanaauth local", which also serves an offline Asana.
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
		t.Fatal("asanaauth local did not start")
	}
	return o
}

// post returns the body of the response. If the response is a redirect, post also returns
// the target URL.
func (o *offline) post(path, contentType, body string) (text []byte, location *url.URL) {
	o.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Post(o.url+path, contentType, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode >= 400 {
		o.t.Fatalf("POST %s: got %d, %v", path, resp.StatusCode, err)
	}
	location, _ = resp.Location()
	return text, location
}

func (o *offline) token(gid string) secret.String {
	o.t.Helper()
	text, _ := o.post("/_offline/tokens", "application/json", `{"person":"`+gid+`"}`)
	var body struct{ Token string }
	return o.decodeToken(text, &body, &body.Token)
}

func (o *offline) grant(gid string) secret.String {
	o.t.Helper()
	const form = "application/x-www-form-urlencoded"
	redirect := url.Values{"client_id": {clientID}, "redirect_uri": {o.public + "/callback"}}
	consent := url.Values{"response_type": {"code"}, "state": {"s"}, "scope": {"default"}, "person": {gid}, "decision": {"allow"}}
	_, back := o.post("/-/oauth_authorize", form, redirect.Encode()+"&"+consent.Encode())
	if back == nil {
		o.t.Fatal("giving consent: got no redirect")
	}
	exchange := url.Values{"grant_type": {"authorization_code"}, "client_secret": {clientSecret}, "code": {back.Query().Get("code")}}
	text, _ := o.post("/-/oauth_token", form, redirect.Encode()+"&"+exchange.Encode())
	var body struct {
		Refresh string `json:"refresh_token"`
	}
	return o.decodeToken(text, &body, &body.Refresh)
}

// decodeToken decodes the JSON text into body, and returns *token, which is a field of body.
func (o *offline) decodeToken(text []byte, body any, token *string) secret.String {
	o.t.Helper()
	if err := json.Unmarshal(text, body); err != nil || *token == "" {
		o.t.Fatalf("got no token: %v", err)
	}
	o.last = *token
	return secret.New(*token)
}
