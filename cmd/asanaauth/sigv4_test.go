package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// ownKey and ownSecret are values for the flags -backend-key and -backend-secret. They
// have the minimum length.
const (
	ownKey    = "the-backend-key."
	ownSecret = "own/secret+key=="
)

// signer signs requests with the AWS SDK.
type signer struct {
	key, secret, session, service, region string
	at                                    time.Time
	payload                               string // body hash; if empty, the hash of the body
	more                                  []string
}

func (s *backend) signer() signer {
	return signer{key: s.key, secret: s.secret, service: "execute-api", region: "eu-central-1", at: time.Now()}
}

// headers returns the headers of a signed request, including the headers in s.more, which
// are signed too.
func (s signer) headers(t *testing.T, method, to, body string) []string {
	t.Helper()
	r, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range s.more {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	if s.payload == "" {
		sum := sha256.Sum256([]byte(body))
		s.payload = hex.EncodeToString(sum[:])
	}
	credentials := aws.Credentials{AccessKeyID: s.key, SecretAccessKey: s.secret, SessionToken: s.session}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, s.payload, s.service, s.region, s.at); err != nil {
		t.Fatal(err)
	}
	var headers []string
	for name, values := range r.Header {
		headers = append(headers, name+": "+values[0])
	}
	return headers
}

// TestSignatures checks that "asanaauth local" accepts a request that API Gateway accepts,
// and rejects others as API Gateway does. The log says what is wrong.
func TestSignatures(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "-backend-key", ownKey, "-backend-secret", ownSecret)
	const body, path = `{"owner":"acme"}`, "/connections?owner=acme+%26%20co&limit=2"
	json := "Content-Type: application/json"
	good := newSigningBackend(p, ownKey, ownSecret).signer()
	change := func(f func(*signer)) signer {
		s := good
		f(&s)
		return s
	}
	replace := func(old, new string) func([]string) []string {
		return func(headers []string) []string {
			for i := range headers {
				headers[i] = strings.Replace(headers[i], old, new, 1)
			}
			return headers
		}
	}
	for name, test := range map[string]struct {
		s      signer
		tamper func([]string) []string
		method string
		path   string // the default is signed
		body   string
		want   string // reason in the log; empty if the request is accepted
	}{
		"POST":                {s: good},
		"signed content type": {s: change(func(s *signer) { s.more = []string{json} })},
		"a query":             {s: good, method: "GET"},
		"another region":      {s: change(func(s *signer) { s.region = "us-gov-west-1" })},
		"a session token":     {s: change(func(s *signer) { s.session = "token/of+the=role" })},
		"four minutes ago":    {s: change(func(s *signer) { s.at = s.at.Add(-4 * time.Minute) })},
		"in four minutes":     {s: change(func(s *signer) { s.at = s.at.Add(4 * time.Minute) })},
		"more headers":        {s: change(func(s *signer) { s.more = []string{json, "X-Trace:  a   b ", "Accept: */*"} })},
		"a body hash header":  {s: change(func(s *signer) { s.more = []string{"X-Amz-Content-Sha256: " + hashOf(body)} })},
		"another key":         {s: change(func(s *signer) { s.key += "x" }), want: "the access key ID is not the backend key"},
		"another secret":      {s: change(func(s *signer) { s.secret += "x" }), want: "the signature does not match"},
		"another service":     {s: change(func(s *signer) { s.service = "lambda" }), want: "the service in the credential scope is not execute-api"},
		"six minutes ago":     {s: change(func(s *signer) { s.at = s.at.Add(-6 * time.Minute) }), want: "differs from this machine's time by 6m"},
		"in six minutes":      {s: change(func(s *signer) { s.at = s.at.Add(6 * time.Minute) }), want: "differs from this machine's time by "},
		"unsigned body": {s: change(func(s *signer) {
			s.payload = "UNSIGNED-PAYLOAD"
			s.more = []string{"X-Amz-Content-Sha256: UNSIGNED-PAYLOAD"}
		}), want: "does not accept UNSIGNED-PAYLOAD"},
		"unsigned body, silent":    {s: change(func(s *signer) { s.payload = "UNSIGNED-PAYLOAD" }), want: "the signature does not match"},
		"empty body signed":        {s: change(func(s *signer) { s.payload = hashOf("") }), want: "the body is not signed"},
		"another body":             {s: good, body: `{"owner":"evil"}`, want: "the signature does not match"},
		"another body, its hash":   {s: change(func(s *signer) { s.more = []string{"X-Amz-Content-Sha256: " + hashOf(body)} }), body: "{}", want: "X-Amz-Content-Sha256 is not the SHA-256"},
		"another path":             {s: good, path: "/connections", want: "the signature does not match"},
		"another query":            {s: good, method: "GET", path: path + "0", want: "the signature does not match"},
		"another header":           {s: change(func(s *signer) { s.more = []string{"X-Trace: a"} }), tamper: replace("X-Trace: a", "X-Trace: b"), want: "the signature does not match"},
		"a header that is gone":    {s: change(func(s *signer) { s.more = []string{"X-Trace: a"} }), tamper: replace("X-Trace: a", "X-Other: a"), want: "do not sign an empty one, such as X-Amz-Security-Token"},
		"another date in scope":    {s: good, tamper: replace(good.at.UTC().Format("20060102")+"/", "20200101/"), want: "the date in the credential scope is not the date"},
		"no date":                  {s: good, tamper: replace("X-Amz-Date: ", "X-Other-Date: "), want: "X-Amz-Date is missing"},
		"a malformed date":         {s: good, tamper: replace("X-Amz-Date: 2", "X-Amz-Date: x"), want: "X-Amz-Date does not have the form"},
		"host not signed":          {s: good, tamper: replace("host;", ""), want: "the header host is not signed"},
		"date not signed":          {s: good, tamper: replace(";x-amz-date", ""), want: "the header x-amz-date is not signed"},
		"another signature":        {s: good, tamper: replace("Signature=", "Signature=0"), want: "the signature does not match"},
		"no signature":             {s: good, tamper: replace("Signature=", "Signed="), want: "the Authorization header does not have the form"},
		"no credential":            {s: good, tamper: replace("Credential=", "Key="), want: "the Authorization header does not have the form"},
		"another algorithm":        {s: good, tamper: replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), want: "the Authorization header does not have the form"},
		"a scope without a part":   {s: good, tamper: replace("/aws4_request", ""), want: "the Authorization header does not have the form"},
		"the key instead of SigV4": {s: good, tamper: replace("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Bearer "), want: "the Authorization header does not have the form"},
	} {
		t.Run(name, func(t *testing.T) {
			method, signedPath, signedBody := "POST", "/links", body
			if test.method == "GET" {
				method, signedPath, signedBody = "GET", path, ""
			}
			headers := test.s.headers(t, method, p.publicURL+signedPath, signedBody)
			if test.tamper != nil {
				headers = test.tamper(headers)
			}
			if test.path != "" {
				signedPath = test.path
			}
			if test.body != "" {
				signedBody = test.body
			}
			if !slices.Contains(headers, json) && signedBody != "" {
				headers = append(headers, json)
			}
			before := len(p.logged.String())
			a := newBrowser(t).mustSend(method, p.publicURL+signedPath, signedBody, headers...)
			waitUntil(t, "the request is logged", func() bool { return strings.HasSuffix(p.logged.String()[before:], "\n") })
			if test.want == "" {
				if a.status != http.StatusCreated && a.status != http.StatusOK {
					t.Errorf("got %d %s, want the request accepted; log: %s", a.status, a.body, p.logged.String()[before:])
				}
				return
			}
			if a.status != http.StatusForbidden || a.body != `{"message":"Forbidden"}` {
				t.Errorf("got %d %s, want 403 as from API Gateway", a.status, a.body)
			}
			wantHeaders(t, a)
			log := p.logged.String()[before:]
			if !strings.Contains(log, test.want) {
				t.Errorf("the log does not contain %q: %s", test.want, log)
			}
			if strings.Contains(log, ownSecret) || strings.Contains(log, ownKey) || strings.Contains(log, "acme") {
				t.Errorf("the log contains a secret or a part of the request: %s", log)
			}
		})
	}
}

// TestSignedBodyThatIsTooLong checks the limits of the body, of API Gateway and of
// asanaauth.
func TestSignedBodyThatIsTooLong(t *testing.T) {
	t.Parallel()
	s := newBackend(start(t, t.TempDir(), nil, "-backend-key", ownKey, "-backend-secret", ownSecret), "")
	s.key, s.secret = ownKey, ownSecret
	s.wantProblem(http.StatusRequestEntityTooLarge, "payload-too-large", "POST", "/links", `{"owner":"`+strings.Repeat("x", 65<<10)+`"}`)
	if a := s.call("POST", "/links", strings.Repeat("x", 10<<20+1)); a.status != http.StatusRequestEntityTooLarge || a.body != `{"message":"Request Entity Too Large"}` {
		t.Errorf("got %d %s, want 413 as from API Gateway", a.status, a.body)
	}
}

// TestSignaturesOfOtherTools checks requests of signers that do not share code with the
// AWS SDK for Go.
func TestSignaturesOfOtherTools(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "-backend-key", ownKey, "-backend-secret", ownSecret)
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	run := func(t *testing.T, stdin, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		var errs bytes.Buffer
		cmd.Stdin, cmd.Stderr, cmd.Env = strings.NewReader(stdin), &errs, append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, &errs)
		}
		return string(out)
	}
	t.Run("curl", func(t *testing.T) {
		if _, err := exec.LookPath("curl"); err != nil {
			t.Skip("curl is not in PATH")
		}
		// docs/iam.md contains this call.
		call := func(secret, body, path string, more ...string) string {
			args := append([]string{"-sS", "-K", "-", "--aws-sigv4", "aws:amz:eu-central-1:execute-api", "-w", " %{http_code}",
				"-H", "Content-Type: application/json"}, more...)
			if body != "" {
				args = append(args, "-d", body)
			}
			return run(t, `user = "`+ownKey+":"+secret+"\"\nheader = \"X-Amz-Security-Token: role/token+==\"\n", "curl", append(args, p.publicURL+path)...)
		}
		if out := call(ownSecret, `{"owner":"acme"}`, "/links"); !strings.HasSuffix(out, " 201") {
			t.Errorf("got %s, want 201", out)
		}
		if out := call(ownSecret, "", "/connections?limit=2&owner=acme"); !strings.HasSuffix(out, " 200") {
			t.Errorf("got %s, want 200", out)
		}
		if out := call("another-secret", `{"owner":"acme"}`, "/links"); out != `{"message":"Forbidden"} 403` {
			t.Errorf("another secret: got %s, want 403", out)
		}
	})
	t.Run("botocore", func(t *testing.T) {
		python := findPython(t)
		const program = `
import sys, urllib.request
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
base, key, secret = sys.argv[1:]
for method, path, body in ("POST", "/links", b'{"owner":"acme"}'), ("GET", "/connections?owner=acme%20%2B%20co%2Fx&limit=2", None):
    for token in None, "role/token+==":
        request = AWSRequest(method, base + path, data=body, headers={"Content-Type": "application/json"} if body else {})
        SigV4Auth(Credentials(key, secret, token), "execute-api", "eu-central-1").add_auth(request)
        sent = urllib.request.Request(base + path, data=body, headers=dict(request.headers), method=method)
        with urllib.request.urlopen(sent) as response:
            print(response.status)
`
		if out := run(t, "", python.path, "-c", program, p.publicURL, ownKey, ownSecret); out != "201\n201\n200\n200\n" {
			t.Errorf("got statuses %q, want 201 for POST and 200 for GET", out)
		}
	})
}
