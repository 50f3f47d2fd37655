package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// documented sends requests. It compares each response, and the body of each request that
// succeeds, with docs/openapi.yaml.
type documented struct {
	*document
	s *site
}

// call sends a request of the backend. operation has the form "METHOD /pattern". c is a
// connection or nil. If c is not nil, its ID replaces {id} in the pattern.
func (d documented) call(operation string, c map[string]any, query, body string) response {
	d.t.Helper()
	method, pattern, _ := strings.Cut(operation, " ")
	if c != nil {
		pattern = strings.Replace(pattern, "{id}", c["id"].(string), 1)
	}
	return d.check(operation, d.checkBody(operation, body, d.s.do(call(method, pattern+query, body))))
}

func (d documented) send(b *browser, r request) response {
	d.t.Helper()
	path, _, _ := strings.Cut(r.target, "?")
	operation := r.method + " " + path
	if r.header.Get("Content-Type") == "application/json" {
		return d.check(operation, d.checkBody(operation, r.body, b.do(r)))
	}
	return d.check(operation, b.do(r))
}

func (d documented) checkBody(operation, body string, a response) response {
	d.t.Helper()
	if body == "" || a.status >= 300 {
		return a
	}
	documented, ok := d.operations()[operation]["requestBody"]
	if !ok {
		d.t.Fatalf("%s accepts a body, which is not in the document", operation)
	}
	_, request := d.resolve(documented)
	var value any
	must(d.t, json.Unmarshal([]byte(body), &value))
	schema := request["content"].(node)["application/json"].(node)["schema"]
	if err := d.fits(schema, value, operation); err != nil {
		d.t.Errorf("%s accepted %s: %v", operation, body, err)
	}
	return a
}

// TestDocumentedResponses sends requests to all routes, and compares the responses with
// docs/openapi.yaml. The test fails if a successful response in the file is never
// returned, or if a member in the file is in no request and no response.
func TestDocumentedResponses(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := documented{readDocument(t), newSite(t)}
		d.browserAndFrontend()
		ids := d.connections()
		d.useConnections(ids)
		d.licenses()
		d.disconnects(ids)
		d.sendRejected()
		for operation, op := range d.operations() {
			for status := range op["responses"].(node) {
				// GET /callback responds with 200 only for the response type "code
				// id_token", and this test uses "code".
				if status[0] <= '3' && !d.used[operation+" "+status] && operation+" "+status != "GET /callback 200" {
					t.Errorf("no request got %s %s: add one to httpapi/openapi_flow_test.go", operation, status)
				}
			}
		}
		for name, schema := range d.root["components"].(node)["schemas"].(node) {
			if name == "GatewayFailure" {
				continue // API Gateway responds with it
			}
			properties, _ := schema.(node)["properties"].(node)
			for member := range properties {
				if !d.used[name+"."+member] {
					t.Errorf("no response had the member %s.%s: add a request that returns it to httpapi/openapi_flow_test.go", name, member)
				}
			}
		}
	})
}

func (d documented) browserAndFrontend() {
	d.t.Helper()
	b := d.s.browser()
	for _, path := range []string{"/authorize", "/callback"} {
		d.send(b, request{method: "HEAD", target: path}).want(204)
		d.send(b, get(path, "Sec-Purpose", "prefetch")).want(204)
		d.send(b, get(path+"?link=unknown")).want(400)
	}
	d.send(b, get("/authorize", "Sec-Fetch-Site", "cross-site"))
	back := b.allow(d.send(b, get("/authorize?app_state=s")).location(), asanatest.Member)
	d.send(b, get(back)).want(303)
	again := d.s.browser()
	_, query, _ := strings.Cut(again.allow(again.begin(""), asanatest.Member), "?")
	d.send(again, post(query)).want(303)
	d.send(again, post("")).want(400)

	d.send(b, get("/session", "Origin", appOrigin)).want(200)
	d.send(b, frontendCall("POST", "/session/code", "{}")).want(201)
	token := d.send(b, frontendCall("POST", "/refresh", `{"min_ttl":300}`)).want(200).json()["access_token"].(string)
	d.send(b, frontendCall("POST", "/refresh", object("refused", hashOf(token)))).want(200)
	d.send(b, get("/membership", "Origin", appOrigin)).want(200)
	d.send(b, get("/membership?workspace="+asanatest.Acme, "Origin", appOrigin)).want(200)
	d.send(again, frontendCall("DELETE", "/session", `{"everywhere":false}`)).want(204)
	d.send(again, get("/session", "Origin", appOrigin)).want(204)
	d.send(b, frontendCall("POST", "/disconnect", "{}")).want(200)

	b.signIn(asanatest.Several)
	must(d.t, d.s.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = true }))
	d.send(b, frontendCall("POST", "/disconnect", "")).want(202)
	must(d.t, d.s.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = false }))
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// connections returns connections that were created in different ways: with a link, with
// three kinds of imports, and with a sign-in.
func (d documented) connections() map[string]map[string]any {
	d.t.Helper()
	made := d.call("POST /links", nil, "", object("owner", "acme", "person", "ann", "return_to", home, "scopes", "default", "asana_user", asanatest.Member)).want(201).json()
	link := strings.TrimPrefix(made["url"].(string), publicURL)
	code := d.s.browser().follow(link, asanatest.Member).Get("connect_code")
	pat, patKind := d.s.longLived(asanatest.Bot)
	account, accountKind := d.s.longLived(asanatest.ServiceAccount)
	bodies := map[string]string{
		"person": object("connect_code", code, "owner", "acme", "person", "ann"),
		"bot":    object("token", pat, "owner", "acme", "kind", patKind),
		"reader": object("token", account, "owner", "acme", "kind", accountKind),
		"grant":  object("refresh_token", d.s.grant(asanatest.Admin), "owner", "acme", "replace", true),
	}
	ids := map[string]map[string]any{}
	for name, body := range bodies {
		ids[name] = d.call("POST /connections", nil, "", body).want(201).json()
	}
	d.call("POST /connections", nil, "", bodies["person"]).want(200)
	signedIn := d.s.browser().signIn(asanatest.Guest)
	ids["session"] = d.call("POST /connections", nil, "", object("session_code", signedIn.sessionCode())).want(200).json()
	return ids
}

func (d documented) useConnections(ids map[string]map[string]any) {
	d.t.Helper()
	d.call("GET /connections", nil, "?owner=acme", "").want(200)
	d.call("GET /connections", nil, "?limit=1&owner=acme", "").want(200)
	for _, c := range ids {
		d.call("GET /connections/{id}", c, "", "").want(200)
		d.call("POST /connections/{id}/token", c, "", "").want(200)
		d.call("GET /connections/{id}/capabilities", c, "", "").want(200)
		d.call("GET /connections/{id}/membership", c, "", "").want(200)
		d.call("GET /connections/{id}/membership", c, "?workspace="+asanatest.Acme, "").want(200)
	}
	d.call("PATCH /connections/{id}", ids["reader"], "", object("reader_of", []string{asanatest.Acme}, "replace", true)).want(200)
	time.Sleep(time.Hour)
	token := d.call("POST /connections/{id}/token", ids["person"], "", `{"min_ttl":3000}`).want(200).json()["access_token"].(string)
	d.call("POST /connections/{id}/token", ids["person"], "", object("refused", hashOf(token))).want(200)
	must(d.t, d.s.asana.RevokeGrants(asanatest.Guest))
	time.Sleep(time.Hour)
	d.call("POST /connections/{id}/token", ids["session"], "", "").want(409)
	broken := d.call("GET /connections/{id}", ids["session"], "", "").want(200).json()
	if broken["status"] != "broken" || broken["broken_at"] == nil || broken["status_reason"] == nil {
		d.t.Errorf("got broken connection %v", broken)
	}
	d.call("GET /connections/{id}/capabilities", ids["session"], "", "").want(200)
}

// licenses reads a membership with a connection that has only a few scopes, so that some
// values are null. For each null, the response must contain a reason in the member
// "unknown".
func (d documented) licenses() {
	d.t.Helper()
	granular := documented{d.document, newSite(d.t, func(o *options) { o.scopes = "openid users:read workspaces:read" })}
	c := granular.s.connectByLink("acme", asanatest.ViewOnly)
	in := granular.call("GET /connections/{id}/membership", c, "?workspace="+asanatest.Acme, "").want(200).json()
	for name, value := range in {
		if why := in["unknown"].(map[string]any)[name]; slices.Contains([]string{"is_active", "is_admin", "is_guest", "is_view_only", "can_write"}, name) && (value == nil) != (why != nil) {
			d.t.Errorf("got %s %v with the reason %v", name, value, why)
		}
	}
	granular.call("GET /connections/{id}/capabilities", c, "", "").want(200)
}

func (d documented) disconnects(ids map[string]map[string]any) {
	d.t.Helper()
	d.call("DELETE /connections/{id}/sessions", ids["bot"], "", "").want(204)
	d.call("DELETE /connections/{id}", ids["bot"], "?owner=acme", "").want(200)
	d.call("GET /connections/{id}", ids["bot"], "?owner=acme", "").want(200)
	d.call("GET /connections", nil, "?owner=acme", "").want(200)
	// The admin's sign-in and the imported refresh token made two connections with one
	// OAuth grant. The grant is revoked only when the last of them is disconnected. The
	// sign-in's connection is disconnected here, so disconnecting the other one below
	// revokes the grant.
	d.s.do(call("DELETE", "/connections?owner=asana:"+asanatest.Admin, "")).want(202)
	must(d.t, d.s.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = true }))
	d.call("DELETE /connections/{id}", ids["grant"], "", "").want(202)
	d.call("GET /connections/{id}", ids["grant"], "", "").want(200)
	must(d.t, d.s.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = false }))
	time.Sleep(time.Minute)
	d.call("DELETE /connections", nil, "?owner=acme", "").want(202)
}

// sendRejected sends invalid requests to each operation. It also imports a token that
// Asana rejects, redeems an unknown session code, and reads a connection while the table
// fails.
func (d documented) sendRejected() {
	d.t.Helper()
	for operation, op := range d.operations() {
		method, path, _ := strings.Cut(operation, " ")
		target := strings.ReplaceAll(path, "{id}", "con_unknown")
		brew := call("BREW", target, "", "Origin", appOrigin)
		if a := d.s.do(brew); method != "HEAD" {
			d.check(operation, a)
		}
		if len(op["security"].([]any)) == 0 {
			continue
		}
		r := frontendCall(method, target, "")
		if method == "GET" {
			r.header.Del("Content-Type")
		}
		d.check(operation, d.s.do(r)).withoutSession(path)
		if _, ok := op["requestBody"]; ok {
			for body, status := range map[string]int{`{"unknown":1}`: 400, strings.Repeat(" ", 64<<10+1): 413} {
				r := frontendCall(method, target, body)
				r.caller = arn
				d.check(operation, d.s.do(r)).want(status)
			}
			r := frontendCall(method, target, "{}", "Content-Type", "text/plain")
			r.caller = arn
			d.check(operation, d.s.do(r)).want(415)
		}
	}
	d.call("POST /connections", nil, "", object("token", "2/1/1:nobody", "owner", "acme", "kind", "service_account")).problem(422, "token-rejected")
	d.call("POST /connections", nil, "", object("session_code", "unknown")).problem(400, "link-expired")
	d.s.fail("read")
	d.call("GET /connections/{id}", map[string]any{"id": "con_0000000000000000000000000000000000000000"}, "", "")
	d.s.table.Hook = nil
}
