package onaws_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	keyID     = "11111111-2222-3333-4444-555555555555"
	secretARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:asana-AbCdEf"
	unknownID = "con_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// service is a fake HTTP client: it calls the function instead of sending the request to
// AWS.
type service func(r *http.Request) (*http.Response, error)

func (s service) Do(r *http.Request) (*http.Response, error) { return s(r) }

func respond(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func emptyTable(*http.Request) (*http.Response, error) {
	return respond(200, `{"Responses":{"table":[]},"UnprocessedKeys":{}}`)
}

func options(s service) onaws.Options {
	return onaws.Options{
		AWS: aws.Config{
			Region: "eu-central-1", HTTPClient: s,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
			}),
		},
		TableName: "table", KMSKeyIDs: []string{keyID}, ClientID: "1300000000000001", ClientSecretARN: secretARN,
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	const hidden = "hunter2"
	for name, c := range map[string]struct {
		o    onaws.Options
		want []string
	}{
		"nothing": {onaws.Options{}, []string{
			"AWS.Region is missing", "AWS.Credentials is missing", "TableName is missing", "KMSKeyIDs is missing",
			"ClientID is missing", "ClientSecretARN is missing"}},
		"malformed": {func() onaws.Options {
			o := options(emptyTable)
			o.KMSKeyIDs = []string{keyID, "alias/" + hidden}
			o.KeyCacheTTL = 2 * time.Hour
			o.ClientSecretARN = "arn:aws:kms:eu-central-1:111122223333:key/" + hidden
			o.AsanaBaseURL = "http://" + hidden
			o.Scopes = "default  openid"
			return o
		}(), []string{
			"KMSKeyIDs[1] is neither", "KeyCacheTTL is more", "ClientSecretARN is not an ARN", "AsanaBaseURL: asana: BaseURL", "asana: Issuer",
			"AuthorizeURL is missing", "ReturnURLs is missing", "Scopes is not separated"}},
		"not an ARN": {func() onaws.Options {
			o := options(emptyTable)
			o.ClientSecretARN = hidden
			o.AuthorizeURL = "https://auth.example.com/authorize"
			return o
		}(), []string{"ClientSecretARN is not an ARN", "ReturnURLs is missing", "Scopes is missing"}},
		"links that lead nowhere": {func() onaws.Options {
			o := options(emptyTable) // the AuthorizeURL of a program whose PUBLIC_URL is not set
			o.AuthorizeURL, o.ReturnURLs, o.Scopes = "/authorize", []string{"https://app.example.com/"}, "default"
			return o
		}(), []string{"AuthorizeURL is not an absolute URL"}},
		"links with a query": {func() onaws.Options {
			o := options(emptyTable)
			o.AuthorizeURL, o.ReturnURLs, o.Scopes = "https://auth.example.com/authorize?x="+hidden, []string{"https://app.example.com/"}, "default"
			return o
		}(), []string{"AuthorizeURL is not an absolute URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := onaws.Open(t.Context(), c.o)
			if err == nil {
				t.Fatal("Open() returned no error")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Errorf("got %d mistakes, want %d:\n%v", len(lines), len(c.want), err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not contain %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("the error repeats a value: %v", err)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	o := options(emptyTable)
	d, err := onaws.Open(t.Context(), o)
	if err != nil || d.Connections() == nil || d.Tokens() == nil || d.Memberships() == nil || d.ConnectCodes() == nil ||
		d.SessionCodes() == nil || d.Scanner() == nil || d.Links() != nil {
		t.Fatalf("Open() = %+v, %v; want everything except Links", d, err)
	}
	o.AuthorizeURL, o.ReturnURLs, o.Scopes = "https://auth.example.com/authorize", []string{"https://app.example.com/"}, "default"
	if d, err = onaws.Open(t.Context(), o); err != nil || d.Links() == nil {
		t.Fatalf("links: %+v, %v", d, err)
	}
}

// Open returns an error if the table does not exist or may not be read, because repeating
// the call would not help.
func TestOpenReturnsAnErrorIfTheTableCannotBeUsed(t *testing.T) {
	for _, code := range []string{"ResourceNotFoundException", "AccessDeniedException"} {
		_, err := onaws.Open(t.Context(), options(func(*http.Request) (*http.Response, error) {
			return respond(400, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`","message":"no"}`)
		}))
		if err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("Open() = %v, want an error with %s", err, code)
		}
	}
}

// If AWS does not respond, Open returns without an error after at most three seconds. A
// later read of the table makes three attempts of 0.8 seconds each. If only the third
// attempt gets a response, the read takes 1.6 seconds, plus the pauses.
func TestSilentConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		silent := true
		calls := 0
		o := options(func(r *http.Request) (*http.Response, error) {
			if calls++; silent || calls < 3 {
				return hang(r)
			}
			return emptyTable(r)
		})
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		began := time.Now()
		d, err := onaws.Open(t.Context(), o)
		if err != nil || time.Since(began) > 3*time.Second || !strings.Contains(log.String(), "the table is unavailable") {
			t.Fatalf("Open() took %v: %v; log %s", time.Since(began), err, &log)
		}
		silent, calls, began = false, 0, time.Now()
		_, err = d.Connections().Open(t.Context(), connection.Ref{ID: unknownID})
		if asanaauth.KindOf(err) != asanaauth.NotFound || calls != 3 {
			t.Errorf("%v after %d attempts", err, calls)
		}
		if took := time.Since(began); took < 1600*time.Millisecond || took > 2*time.Second {
			t.Errorf("took %v, want 1.6s to 2s", took)
		}
		silent, calls = true, 0
		_, err = d.Connections().Open(t.Context(), connection.Ref{ID: unknownID})
		if asanaauth.KindOf(err) != asanaauth.TryAgain || calls != 3 {
			t.Errorf("%v after %d attempts, want three", err, calls)
		}
	})
}

// If KMS does not respond, a call makes three attempts of two seconds each.
func TestSilentKMS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		d, err := onaws.Open(t.Context(), options(func(r *http.Request) (*http.Response, error) {
			if !strings.HasPrefix(r.Header.Get("X-Amz-Target"), "TrentService.") {
				return emptyTable(r)
			}
			calls++
			return hang(r)
		}))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = d.Connections().Import(t.Context(), connection.ImportRequest{Owner: "o", RefreshToken: secret.New("r")})
		if took := time.Since(began); asanaauth.KindOf(err) != asanaauth.TryAgain || calls != 3 || took < 6*time.Second || took > 6500*time.Millisecond {
			t.Errorf("%v after %v and %d attempts, want TryAgain after 6s to 6.5s and 3", err, took, calls)
		}
	})
}

// The time limit for an attempt includes reading the response's body.
func TestSilentBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		o := options(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == 1 {
				resp, _ := respond(200, "")
				resp.Body, resp.ContentLength = io.NopCloser(endless{r.Context()}), -1
				return resp, nil
			}
			return emptyTable(r)
		})
		began := time.Now()
		if _, err := onaws.Open(t.Context(), o); err != nil || calls != 2 || time.Since(began) > 1200*time.Millisecond {
			t.Errorf("after %v and %d attempts: %v", time.Since(began), calls, err)
		}
	})
}

type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

func TestTheProgramsRetryerIsKept(t *testing.T) {
	calls := 0
	o := options(func(*http.Request) (*http.Response, error) {
		calls++
		return nil, errors.New("unavailable")
	})
	o.AWS.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	if _, err := onaws.Open(t.Context(), o); err != nil || calls != 1 {
		t.Errorf("%v after %d attempts, want one", err, calls)
	}
}

// A page of a scan is large, so the attempts of a scan have no time limit.
func TestScansHaveNoTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := onaws.Open(t.Context(), options(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Scan") {
				return emptyTable(r)
			}
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(20 * time.Second):
				return respond(200, `{"Items":[],"Count":0,"ScannedCount":0}`)
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if rows, next, err := d.Scanner().Scan(t.Context(), ""); err != nil || len(rows) > 0 || next != "" {
			t.Errorf("Scan() = %v, %q, %v; want an empty last page", rows, next, err)
		}
	})
}

// If every attempt fails at once, a call ends after at most 0.4 seconds, because the two
// pauses between its three attempts are short.
func TestFailingConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		o := options(func(*http.Request) (*http.Response, error) {
			calls++
			return nil, errors.New("unavailable")
		})
		began := time.Now()
		for range 20 {
			if _, err := onaws.Open(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); calls != 60 || took > 20*400*time.Millisecond {
			t.Errorf("%d attempts in %v", calls, took)
		}
	})
}
