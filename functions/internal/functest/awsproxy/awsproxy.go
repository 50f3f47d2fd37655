// Package awsproxy provides a proxy between a function under test and a server that
// stands in for an AWS service. A [Proxy] records every call, and denies the calls that
// the function's role in template.yaml does not allow. A Proxy can also simulate an
// outage. The package is only for tests.
package awsproxy

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

// Call is a request that a Proxy received.
type Call struct {
	template.Request
	Parts     []template.Request // the permissions that the call needs: one for each part of a transaction, otherwise one
	Statement int                // index of the policy statement that allows the last part, or -1 if a part is denied
	Status    int                // HTTP status of the response, or 0 if there was no response
	Units     float64            // write units that DynamoDB charges for the call
}

// Proxy forwards the calls of one function to one server. A Proxy is safe for concurrent
// use.
type Proxy struct {
	URL      string
	function *template.Function // nil allows every call
	target   string
	client   *http.Client

	mu    sync.Mutex
	down  bool
	calls []Call
}

// New starts a proxy for the server at the URL target. The proxy allows the calls that
// the role of function allows, or every call if function is nil. The proxy stops at the
// end of the test.
func New(t testing.TB, target string, function *template.Function) *Proxy {
	p := &Proxy{function: function, target: target, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.Close()
		p.client.CloseIdleConnections()
	})
	p.URL = server.URL
	return p
}

// SetDown starts an outage if down is true, and ends the outage if down is false. During
// an outage, the proxy records each call, and closes the network connection without a
// response.
func (p *Proxy) SetDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// Calls returns the calls since [Proxy.ClearCalls] was last called.
func (p *Proxy) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// ClearCalls removes all recorded calls.
func (p *Proxy) ClearCalls() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = nil
}

// Actions returns the IAM actions of all calls with status 200, in order and without the
// service prefix, for example "PutItem".
func (p *Proxy) Actions() []string {
	var out []string
	for _, c := range p.Calls() {
		if c.Status == http.StatusOK {
			_, name, _ := strings.Cut(c.Action, ":")
			out = append(out, name)
		}
	}
	return out
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	parts := split(r.Header.Get("X-Amz-Target"), body)
	if len(parts) == 0 {
		panic(http.ErrAbortHandler) // a transaction without parts
	}
	call := Call{Request: joined(parts), Parts: parts}
	for _, part := range parts {
		if call.Statement = p.statement(part); call.Statement < 0 {
			break
		}
	}
	p.mu.Lock()
	down := p.down
	p.mu.Unlock()
	if down {
		p.record(call)
		panic(http.ErrAbortHandler) // closes the connection
	}
	if call.Statement < 0 {
		call.Status = http.StatusBadRequest
		p.record(call)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(call.Status)
		fmt.Fprintf(w, `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"template.yaml does not allow %s on %s"}`,
			call.Action, strings.Join(call.LeadingKeys, " "))
		return
	}
	p.forward(w, r, body, call)
}

// statement returns the index of the policy statement that allows r, or -1.
func (p *Proxy) statement(r template.Request) int {
	if p.function == nil {
		return 0
	}
	if i, ok := p.function.May(r); ok {
		return i
	}
	return -1
}

func (p *Proxy) forward(w http.ResponseWriter, r *http.Request, body []byte, call Call) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.target, bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	resp, err := p.client.Do(out)
	if err != nil {
		p.record(call)
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	respBody, err := io.ReadAll(resp.Body)
	if err != nil {
		p.record(call)
		panic(http.ErrAbortHandler)
	}
	call.Status, call.Units = resp.StatusCode, units(call.Action, body)
	p.record(call)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(respBody)
}

func (p *Proxy) record(c Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
}

// joined returns one request with the partition keys of all parts. More than one part
// means that the call is a transaction.
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

// payload contains the members of a JSON request body that determine which permissions
// the request needs.
type payload struct {
	change
	RequestItems              map[string]struct{ Keys []item }
	ExpressionAttributeValues item // in a Query, the value :pk is the partition key
	TransactItems             []struct{ Put, Delete, Update, ConditionCheck *change }
	EncryptionContext         map[string]string
}

// split returns the requests that IAM checks for one call: the parts of a transaction, or
// the call itself.
func split(target string, body []byte) []template.Request {
	var p payload
	json.Unmarshal(body, &p) // a malformed body leaves p empty, so no statement allows the call
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
