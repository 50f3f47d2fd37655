package asanatest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault changes the response to the next request that matches, or delays or
// cuts it. Faults are tried in the order they were injected, and at most one
// applies to a request. If none matches, the switches of the group "Trouble"
// apply. Faults do not apply to /_offline/.
//
// As JSON (POST /_offline/faults) the durations are delay_ms and
// answer_delay_ms.
type Fault struct {
	Path      string `json:"path"`       // exact, or a prefix if it ends in *; if empty, every path
	GrantType string `json:"grant_type"` // of the token endpoint; if empty, any
	Times     int    `json:"times"`      // how many requests; 0 means one, below 0 means no limit

	Before func(*http.Request) `json:"-"` // called first, while nothing is locked
	Delay  time.Duration       `json:"-"` // waited next, before the request has any effect
	Cut    bool                `json:"cut"`

	// If Status or Body is set, this is the response, and the request has no
	// effect unless Apply is set. If only Body is set, the status is 200.
	Status      int         `json:"status"`
	Body        string      `json:"body"`
	ContentType string      `json:"content_type"` // if empty, application/json
	Header      http.Header `json:"header"`
	Apply       bool        `json:"apply"`

	AnswerDelay   time.Duration `json:"-"`               // waited after the request has taken effect, before the response is sent
	CutAfterApply bool          `json:"cut_after_apply"` // the request takes effect, the response is not sent
}

// Inject adds a fault.
func (a *Asana) Inject(f Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults.add(f)
}

// ClearFaults drops all faults that wait.
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

// faults holds the injected faults, the oldest first.
type faults struct{ list []*Fault }

func (fs *faults) add(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	fs.list = append(fs.list, &f)
}

func (fs *faults) clear() { fs.list = nil }

// take returns the first fault that matches a request, and drops it if this
// was its last time.
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

// fault returns what the switches of the group Trouble do to a request.
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
	case machine && s.Nonsense:
		f.Body = "nonsense"
	}
	if f.Status == http.StatusTooManyRequests {
		f.Header = http.Header{"Retry-After": {strconv.Itoa(s.RetryAfter)}}
	}
	return f
}
