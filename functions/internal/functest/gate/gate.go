// Package gate stands between a function and a server of one of AWS's APIs, in
// tests: it remembers every call, lets through what template.yaml allows the
// function, and can play a service that is away.
package gate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
)

// Call is one request that came.
type Call struct {
	template.Request
	Parts     []template.Request // what it needs the permission for; a transaction has several
	Statement int                // of the function's that allowed the last part; -1: denied
	Status    int                // 0: no answer
	Units     float64            // of writing, as DynamoDB counts them
}

// Gate is one function's way to one server. Safe for concurrent use.
type Gate struct {
	URL      string
	function *template.Function // nil: everything is allowed
	target   string
	client   *http.Client

	mu    sync.Mutex
	away  bool
	calls []Call
}

// New opens a gate to the server at target, which ends with the test. Where
// function is nil, nothing is forbidden.
func New(t testing.TB, target string, function *template.Function) *Gate {
	g := &Gate{function: function, target: target, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	server := httptest.NewServer(g)
	t.Cleanup(func() {
		server.Close()
		g.client.CloseIdleConnections()
	})
	g.URL = server.URL
	return g
}

// Away makes the server unreachable, or reachable again.
func (g *Gate) Away(away bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.away = away
}

// Calls returns what came since the last call of Forget.
func (g *Gate) Calls() []Call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.calls)
}

// Forget forgets all calls.
func (g *Gate) Forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = nil
}

// Actions are those of the calls that were answered with 200, in their order,
// without the service's name.
func (g *Gate) Actions() []string {
	var out []string
	for _, c := range g.Calls() {
		if c.Status == http.StatusOK {
			_, name, _ := strings.Cut(c.Action, ":")
			out = append(out, name)
		}
	}
	return out
}

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	parts := split(r.Header.Get("X-Amz-Target"), body)
	if len(parts) == 0 {
		panic(http.ErrAbortHandler) // a transaction of nothing
	}
	call := Call{Request: joined(parts), Parts: parts}
	for _, part := range parts {
		if call.Statement = g.statement(part); call.Statement < 0 {
			break
		}
	}
	g.mu.Lock()
	away := g.away
	g.mu.Unlock()
	if away {
		g.note(call)
		panic(http.ErrAbortHandler) // cuts the connection
	}
	if call.Statement < 0 {
		call.Status = http.StatusBadRequest
		g.note(call)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(call.Status)
		fmt.Fprintf(w, `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"template.yaml does not allow %s on %s"}`,
			call.Action, strings.Join(call.LeadingKeys, " "))
		return
	}
	g.forward(w, r, body, call)
}

func (g *Gate) statement(r template.Request) int {
	if g.function == nil {
		return 0
	}
	if i, ok := g.function.May(r); ok {
		return i
	}
	return -1
}

func (g *Gate) forward(w http.ResponseWriter, r *http.Request, body []byte, call Call) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, g.target, bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	resp, err := g.client.Do(out)
	if err != nil {
		g.note(call)
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		g.note(call)
		panic(http.ErrAbortHandler)
	}
	call.Status, call.Units = resp.StatusCode, units(call.Action, body)
	g.note(call)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
}

func (g *Gate) note(c Call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, c)
}

// joined is the call that parts make up.
func joined(parts []template.Request) template.Request {
	all := template.Request{Action: parts[0].Action, Context: parts[0].Context}
	if len(parts) > 1 {
		all.Action = "dynamodb:TransactWriteItems"
	}
	for _, part := range parts {
		all.LeadingKeys = append(all.LeadingKeys, part.LeadingKeys...)
	}
	return all
}

type item map[string]map[string]any

func (i item) pk() string { s, _ := i["pk"]["S"].(string); return s }

type change struct{ Item, Key item }

func (c change) pk() string { return c.Item.pk() + c.Key.pk() }

// payload is what of all requests decides a permission.
type payload struct {
	change
	RequestItems              map[string]struct{ Keys []item }
	ExpressionAttributeValues item // of a Query, whose pk is :pk
	TransactItems             []struct{ Put, Delete, Update, ConditionCheck *change }
	EncryptionContext         map[string]string
}

// split gives the permissions that a request needs, all of them: a transaction
// those of its parts, everything else one.
func split(target string, body []byte) []template.Request {
	var p payload
	json.Unmarshal(body, &p) // what cannot be read is allowed nothing
	service, action, _ := strings.Cut(target, ".")
	switch {
	case strings.HasPrefix(service, "DynamoDB"):
		return dynamoDB(action, p)
	case service == "TrentService":
		return []template.Request{{Action: "kms:" + action, Context: p.EncryptionContext}}
	}
	return []template.Request{{Action: service + ":" + action}}
}

func dynamoDB(action string, p payload) []template.Request {
	one := template.Request{Action: "dynamodb:" + action}
	switch action {
	case "BatchGetItem":
		for _, table := range p.RequestItems {
			for _, key := range table.Keys {
				one.LeadingKeys = append(one.LeadingKeys, key.pk())
			}
		}
	case "Query":
		s, _ := p.ExpressionAttributeValues[":pk"]["S"].(string)
		one.LeadingKeys = []string{s}
	case "TransactWriteItems":
		var parts []template.Request
		for _, part := range p.TransactItems {
			for name, c := range map[string]*change{"PutItem": part.Put, "DeleteItem": part.Delete,
				"UpdateItem": part.Update, "ConditionCheckItem": part.ConditionCheck} {
				if c != nil {
					parts = append(parts, template.Request{Action: "dynamodb:" + name, LeadingKeys: []string{c.pk()}})
				}
			}
		}
		return parts
	default:
		one.LeadingKeys = []string{p.pk()}
	}
	return []template.Request{one}
}
