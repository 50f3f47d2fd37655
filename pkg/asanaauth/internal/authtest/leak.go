package authtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"index/suffixarray"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Hunt searches for secrets in everything that is logged, returned or stored. It collects
// the secrets: those in requests to Asana and their responses (it is an
// [http.RoundTripper]), and those that a test names. It also collects the texts to
// search: outcomes that a test notes, and every state of every row.
//
// It is safe for concurrent use, except for Note and Finish.
type Hunt struct {
	inst *Installation
	next http.RoundTripper

	mu      sync.Mutex
	secrets map[string]string // by text: what it is
	inputs  map[string]string // the same, for texts that rows may have

	said []string
	rows map[string]string // by state of a row: the text that Written returns
}

// NewHunt begins a hunt for these secrets, by their text. Give it to processes as their
// Transport.
func (inst *Installation) NewHunt(secrets map[string]string) *Hunt {
	return &Hunt{
		inst: inst, next: inst.Wire, secrets: maps.Clone(secrets), inputs: map[string]string{}, rows: map[string]string{},
	}
}

// Secret adds a secret. Short texts are ignored.
func (h *Hunt) Secret(what, text string) { h.add(h.secrets, what, text) }

// Input adds a text of a request that must not be logged or returned, but that a row may
// have. Short texts are ignored.
func (h *Hunt) Input(what, text string) { h.add(h.inputs, what, text) }

func (h *Hunt) add(to map[string]string, what, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(text) > 8 {
		to[text] = what
	}
}

// RoundTrip notes what is sent in forms and headers, and the tokens of responses.
func (h *Hunt) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		for _, name := range []string{"code", "code_verifier", "client_secret", "refresh_token", "token"} {
			h.Secret("the request's "+name, form.Get(name))
		}
	}
	h.Secret("a bearer token", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	resp, err := h.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := readBack(resp)
	var tokens map[string]any
	if json.Unmarshal(body, &tokens) == nil {
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			text, _ := tokens[name].(string)
			h.Secret("the response's "+name, text)
		}
	}
	return resp, err
}

// Note adds outcomes to the texts to search: errors, and values that a caller could
// print. It also adds the rows as they are now.
func (h *Hunt) Note(outcomes ...any) {
	h.inst.T.Helper()
	for _, o := range outcomes {
		h.said = append(h.said, fmt.Sprintf("%v %+v %#v %s %q", o, o, o, o, o))
	}
	for _, row := range h.inst.Rows.All() {
		state := fmt.Sprint(store.Encode(row)) // fmt sorts maps, so each state has one text
		if _, ok := h.rows[state]; !ok {
			h.rows[state] = Written(row)
		}
	}
}

// Finish searches for every secret in everything that was logged, noted or stored. It also
// fails the test if the hunt has collected fewer secrets, rows or outcomes than these.
func (h *Hunt) Finish(minSecrets, minRows, minOutcomes int) {
	h.inst.T.Helper()
	if len(h.secrets) < minSecrets || len(h.rows) < minRows || len(h.said) < minOutcomes {
		h.inst.T.Errorf("the hunt was for %d secrets in %d rows and %d outcomes", len(h.secrets), len(h.rows), len(h.said))
	}
	said := indexOf(append(h.said, h.inst.Log.String()))
	rows := indexOf(slices.Collect(maps.Values(h.rows)))
	for text, what := range h.secrets {
		if contains(said, text) {
			h.inst.T.Errorf("%s was logged or returned", what)
		}
		if contains(rows, text) {
			h.inst.T.Errorf("%s is in a row", what)
		}
	}
	for text, what := range h.inputs {
		if contains(said, text) {
			h.inst.T.Errorf("%s was logged or returned", what)
		}
	}
}

// indexOf returns an index in which many texts can be searched for quickly.
func indexOf(texts []string) *suffixarray.Index {
	return suffixarray.New([]byte(strings.Join(texts, "\n")))
}

// contains reports whether the indexed text has another text, in any of its forms.
func contains(in *suffixarray.Index, text string) bool {
	return slices.ContainsFunc(append(Forms(text), url.QueryEscape(text)), func(form string) bool {
		return len(in.Lookup([]byte(form), 1)) > 0
	})
}
