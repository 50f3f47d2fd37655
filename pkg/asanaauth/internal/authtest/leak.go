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

// Hunt searches for secrets in everything that is logged, returned or stored. A Hunt
// collects two sets:
//
//   - The secrets: those in requests to Asana, those in Asana's responses, and those that
//     the test adds.
//   - The texts to search: the outcomes that the test passes to Note, and all rows at
//     each call of Note. Finish adds the log.
//
// To see the requests and the responses, the Hunt must be the Transport in the settings
// of each process. A Hunt is safe for concurrent use, except for Note and Finish.
type Hunt struct {
	inst *Installation
	next http.RoundTripper

	mu      sync.Mutex
	secrets map[string]string // a description of each secret, by the secret's text
	inputs  map[string]string // like secrets, but for texts that rows may contain

	noted []string          // the outcomes that the test noted
	rows  map[string]string // the text that Written returns, by the row's state
}

// NewHunt returns a Hunt that searches for the given secrets and for those that it will
// collect. The keys of the map are the secrets' texts, and its values describe the
// secrets in error messages.
func (inst *Installation) NewHunt(secrets map[string]string) *Hunt {
	return &Hunt{
		inst: inst, next: inst.Wire, secrets: maps.Clone(secrets), inputs: map[string]string{}, rows: map[string]string{},
	}
}

// Secret adds a text that must not be logged, returned or stored. The parameter "what"
// describes the text in error messages. A text of 8 bytes or fewer is ignored.
func (h *Hunt) Secret(what, text string) { h.add(h.secrets, what, text) }

// Input adds a text that the test sends to asanaauth. Unlike a secret, the text may be
// stored in a row, but it must not be logged or returned. A text of 8 bytes or fewer is
// ignored.
func (h *Hunt) Input(what, text string) { h.add(h.inputs, what, text) }

func (h *Hunt) add(to map[string]string, what, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(text) > 8 {
		to[text] = what
	}
}

// RoundTrip adds the secrets in the request's form and Authorization header, and the
// tokens in the response.
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

// Note adds outcomes to the texts to search. An outcome is an error, or a value that a
// caller could print. Note also adds the current state of all rows.
func (h *Hunt) Note(outcomes ...any) {
	h.inst.T.Helper()
	for _, o := range outcomes {
		h.noted = append(h.noted, fmt.Sprintf("%v %+v %#v %s %q", o, o, o, o, o))
	}
	for _, row := range h.inst.Rows.All() {
		state := fmt.Sprint(store.Encode(row)) // fmt sorts map keys, so equal states have equal texts
		if _, ok := h.rows[state]; !ok {
			h.rows[state] = Written(row)
		}
	}
}

// Finish searches for every secret in the log, in the outcomes, and in the rows, and
// reports a test error for each secret that it finds. Finish also reports a test error if
// the Hunt has collected fewer secrets, rows or outcomes than the given minimums, because
// such a search would prove nothing.
func (h *Hunt) Finish(minSecrets, minRows, minOutcomes int) {
	h.inst.T.Helper()
	if len(h.secrets) < minSecrets || len(h.rows) < minRows || len(h.noted) < minOutcomes {
		h.inst.T.Errorf("got %d secrets, %d rows and %d outcomes, want at least %d, %d and %d",
			len(h.secrets), len(h.rows), len(h.noted), minSecrets, minRows, minOutcomes)
	}
	outcomes := indexOf(append(h.noted, h.inst.Log.String()))
	rows := indexOf(slices.Collect(maps.Values(h.rows)))
	for text, what := range h.secrets {
		if contains(outcomes, text) {
			h.inst.T.Errorf("%s was logged or returned", what)
		}
		if contains(rows, text) {
			h.inst.T.Errorf("%s is in a row", what)
		}
	}
	for text, what := range h.inputs {
		if contains(outcomes, text) {
			h.inst.T.Errorf("%s was logged or returned", what)
		}
	}
}

func indexOf(texts []string) *suffixarray.Index {
	return suffixarray.New([]byte(strings.Join(texts, "\n")))
}

func contains(in *suffixarray.Index, text string) bool {
	return slices.ContainsFunc(append(Forms(text), url.QueryEscape(text)), func(form string) bool {
		return len(in.Lookup([]byte(form), 1)) > 0
	})
}
