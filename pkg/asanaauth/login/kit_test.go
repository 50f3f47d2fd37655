package login_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// sniffer records the forms that processes send to the token endpoint.
type sniffer struct {
	next http.RoundTripper

	mu    sync.Mutex
	forms []url.Values
}

func (s *sniffer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == authtest.TokenPath {
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

func (s *sniffer) seen() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.forms)
}

// connectionOf returns the ID of the connection that a sign-in of the Asana user gid
// creates.
func connectionOf(gid string) string {
	return store.ConnectionID(store.HashText("asana:"+gid), gid, string(asanaauth.OAuth))
}

// secretPart returns the part after the dot in an outcome's session cookie or connect
// code.
func secretPart(o login.Outcome) string {
	_, rest, _ := strings.Cut(handedOut(o), ".")
	return rest
}
