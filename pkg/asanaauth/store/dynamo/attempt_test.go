package dynamo_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// silentFirst is an HTTP client that leaves the first requests unanswered, and then
// responds with an empty page or an empty result.
type silentFirst struct{ silent, requests int }

func (s *silentFirst) Do(r *http.Request) (*http.Response, error) {
	s.requests++
	if s.requests <= s.silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(`{"Responses":{"table":[]},"Items":[]}`)),
	}, nil
}

func usingClient(c dynamodb.HTTPClient) func(*dynamodb.Options) {
	return func(o *dynamodb.Options) { o.HTTPClient = c }
}

// The HTTP client has no time limit of its own. The third attempt must still come 1.6
// seconds after the first, so that a save fits into its reserve of 2 seconds.
func TestAnAttemptTakesAtMostEightTenthsOfASecond(t *testing.T) {
	for op, call := range calls() {
		if op == "Scan" {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			server := &silentFirst{silent: 2}
			s := newStore(t, newClient(t, "http://127.0.0.1", usingClient(server)), table)
			began := time.Now()
			err := call(t.Context(), s)
			if took := time.Since(began); err != nil || took != 1600*time.Millisecond || server.requests != 3 {
				t.Errorf("%s: got %v after %v and %d requests, want no error after 1.6s and 3", op, err, took, server.requests)
			}
		})
	}
}

func TestAServerThatIsSilentIsUnavailable(t *testing.T) {
	for op, call := range calls() {
		if op == "Scan" {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			server := &silentFirst{silent: 1000}
			err := call(t.Context(), newStore(t, newClient(t, "http://127.0.0.1", usingClient(server)), table))
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "timed out") || server.requests != 3 {
				t.Errorf("%s: got %v after %d requests, want ErrUnavailable after 3", op, err, server.requests)
			}
		})
	}
}

// A page of Scan can contain a megabyte of rows, so only the caller limits its time.
func TestScanHasNoLimitOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := slowClient(10 * time.Second)
		if _, _, err := newStore(t, newClient(t, "http://127.0.0.1", usingClient(slow)), table).Scan(t.Context(), ""); err != nil {
			t.Errorf("Scan() = %v, want no error", err)
		}
	})
}

type slowClient time.Duration

func (c slowClient) Do(r *http.Request) (*http.Response, error) {
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(time.Duration(c)):
		return (&silentFirst{}).Do(r)
	}
}
