package asanatest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault makes the next matching request fail, or delays the request. If several faults
// match a request, only the fault that was added first applies. If no fault matches, the
// switches in the group "Trouble" apply. Faults do not apply to requests under
// /_offline/.
//
// In the JSON body of POST /_offline/faults, the fields "delay_ms" and "answer_delay_ms"
// contain Delay and AnswerDelay in milliseconds.
type Fault struct {
	Path      string `json:"path"`       // exact path, or a prefix followed by *; empty matches every path
	GrantType string `json:"grant_type"` // grant_type of a token request; empty matches every request
	Times     int    `json:"times"`      // number of requests; 0 means one, a negative number means no limit

	Before func(*http.Request) `json:"-"`   // called before Delay; may call the methods of Asana
	Delay  time.Duration       `json:"-"`   // time to wait before the request is processed
	Cut    bool                `json:"cut"` // close the network connection without a response; the request has no effect

	// If Status or Body is set, the server sends a response with this status and body
	// instead of the normal response. In this case, the server processes the request only
	// if Apply is true. If only Body is set, the status is 200.
	Status      int         `json:"status"`
	Body        string      `json:"body"`
	ContentType string      `json:"content_type"` // the default is application/json
	Header      http.Header `json:"header"`
	Apply       bool        `json:"apply"`

	AnswerDelay   time.Duration `json:"-"`               // time to wait after the request was processed
	CutAfterApply bool          `json:"cut_after_apply"` // process the request, then close the network connection without a response
}

// Inject adds a fault, which applies only to requests that no earlier fault matches.
func (a *Asana) Inject(f Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults.add(f)
}

// ClearFaults removes all faults that were added with Inject or over HTTP.
func (a *Asana) ClearFaults() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults.clear()
}

func (f *Fault) matches(path, grantType string) bool {
	if f.GrantType != "" && f.GrantType != grantType {
		return false
	}
	if prefix, ok := strings.CutSuffix(f.Path, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return f.Path == "" || f.Path == path
}

func (f *Fault) responds() bool { return f.Status != 0 || f.Body != "" }

func (f *Fault) buffer() buffer {
	b := buffer{header: http.Header{}, status: f.Status}
	maps.Copy(b.header, f.Header)
	if b.header.Get("Content-Type") == "" {
		b.header.Set("Content-Type", "application/json; charset=UTF-8")
	}
	if f.ContentType != "" {
		b.header.Set("Content-Type", f.ContentType)
	}
	b.body.WriteString(f.Body)
	return b
}

type faults struct{ list []*Fault }

func (fs *faults) add(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	fs.list = append(fs.list, &f)
}

func (fs *faults) clear() { fs.list = nil }

// take returns the first fault that matches a request. take decrements the fault's Times,
// and removes the fault when Times reaches 0.
func (fs *faults) take(path, grantType string) (f Fault, ok bool) {
	for i, f := range fs.list {
		if f.matches(path, grantType) {
			if f.Times--; f.Times == 0 {
				fs.list = slices.Delete(fs.list, i, i+1)
			}
			return *f, true
		}
	}
	return Fault{}, false
}

// fault returns the fault that the switches in the group "Trouble" define for a request.
func (s Switches) fault(path string) Fault {
	machine := strings.HasPrefix(path, "/api/1.0/") || path == "/-/oauth_token" || path == "/-/oauth_revoke" || path == "/-/token_info"
	f := Fault{}
	if machine {
		f.Delay = time.Duration(s.DelayMS) * time.Millisecond
	}
	switch {
	case s.Down:
		f.Status, f.Body, f.ContentType = http.StatusServiceUnavailable, "Service Unavailable\n", "text/plain; charset=utf-8"
	case machine && s.Cut:
		f.Cut = true
	case path == "/-/oauth_token" && s.Status != 0:
		f.Status, f.Body = s.Status, `{"error":"server_error"}`+"\n"
	case machine && s.RateLimited:
		f.Status, f.Body = http.StatusTooManyRequests, `{"errors":[{"message":"You've made too many requests and hit a rate limit. Please retry after the given amount of time."}]}`+"\n"
	case machine && s.MembershipStatus != 0 && strings.Contains(path, "workspace_memberships"):
		f.Status, f.Body = s.MembershipStatus, `{"errors":[{"message":"This request is not allowed."}]}`+"\n"
	case machine && s.Nonsense:
		f.Body = "nonsense"
	}
	if f.Status == http.StatusTooManyRequests {
		f.Header = http.Header{"Retry-After": {strconv.Itoa(s.RetryAfter)}}
	}
	return f
}
