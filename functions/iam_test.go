package functions_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/functest/awsproxy"
	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// list is a list of strings in an IAM policy. IAM also accepts a plain string in place of
// a list with one string.
type list []string

func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

type statement struct {
	Effect           string
	Action, Resource list
	Condition        map[string]map[string]list
}

// policy returns the statements in docs/iam/NAME.json. The arguments in placeholders are
// alternately a placeholder and its replacement, as for [strings.NewReplacer].
func policy(t *testing.T, name string, placeholders ...string) []statement {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "iam", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var p struct{ Statement []statement }
	if err := json.Unmarshal([]byte(strings.NewReplacer(placeholders...).Replace(string(text))), &p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" {
			t.Fatalf("%s has a statement with the effect %s, want Allow", name, s.Effect)
		}
	}
	return p.Statement
}

// matches reports whether pattern matches text. As in IAM policies, * in pattern matches
// any text.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(text)
}

// TestPolicies checks that each policy for backends in docs/iam allows exactly the routes
// listed here, and that docs/iam.md links to each policy.
func TestPolicies(t *testing.T) {
	page, err := os.ReadFile("../docs/iam.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"read-tokens": {"GET /connections", "GET /connections/{id}", "GET /connections/{id}/capabilities", "GET /connections/{id}/membership",
			"POST /connections/{id}/token"},
		"connect":   {"POST /connections", "POST /links"},
		"import":    {"PATCH /connections/{id}", "POST /connections"},
		"off-board": {"DELETE /connections", "DELETE /connections/{id}", "DELETE /connections/{id}/sessions", "GET /connections"},
	} {
		if !strings.Contains(string(page), "iam/"+name+".json") {
			t.Errorf("docs/iam.md does not link to iam/%s.json", name)
		}
		var got []string
		for _, s := range policy(t, name) {
			if !slices.Equal(s.Action, list{"execute-api:Invoke"}) {
				t.Errorf("%s allows %v, want only execute-api:Invoke", name, s.Action)
			}
			for _, route := range backendRoutes(t) {
				request := strings.NewReplacer(" ", "", "{id}", "con_x").Replace(route)
				if slices.ContainsFunc(s.Resource, func(p string) bool { return matches(p, "arn:aws:execute-api:REGION:ACCOUNT:API/$default/"+request) }) {
					got = append(got, route)
				}
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("docs/iam/%s.json allows other routes than this test wants. In the policy, * also matches slashes. "+
				"Change the policy, or change docs/iam.md and this test (-want +got):\n%s", name, diff)
		}
	}
}

// TestLibraryPolicy uses the library as a Go backend does, and checks that the AWS
// requests use exactly the permissions in docs/iam/library.json. The policy does not
// allow deleting rows. Therefore the status of a connection that the backend disconnects
// remains "revoking".
func TestLibraryPolicy(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	s := saas{connections: d.start(t, "connections"), arn: saasARN}
	refresh := d.asana.RefreshToken(clientID, asanatest.Member)
	id := s.mustSend(t, http.MethodPost, "/connections", `{"refresh_token":`+quoted(refresh)+`,"owner":"o"}`, http.StatusCreated).text("id")

	var may template.Function
	for _, s := range policy(t, "library", "TABLE_NAME", d.table) {
		one := template.Statement{Actions: s.Action, Resource: s.Resource[0]}
		one.LeadingKeys = s.Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
		for name, value := range s.Condition["StringEquals"] {
			if one.Context == nil {
				one.Context = map[string]string{}
			}
			one.Context[strings.TrimPrefix(name, "kms:EncryptionContext:")] = value[0]
		}
		if service, _, _ := strings.Cut(one.Actions[0], ":"); service == "dynamodb" && len(one.LeadingKeys) == 0 ||
			service == "kms" && (one.Context["purpose"] == "" || one.Context["installation"] == "") {
			t.Errorf("library.json allows %v on all rows or in any encryption context", one.Actions)
		}
		may.Allows = append(may.Allows, one)
	}
	g := proxies{awsproxy.New(t, d.dynamoDB, &may), awsproxy.New(t, d.kmsURL, &may), awsproxy.New(t, d.secretsURL, &may)}
	deployment, err := onaws.Open(t.Context(), onaws.Options{
		AWS:       configOf(g),
		TableName: d.table, KMSKeyIDs: []string{d.env["KMS_KEY_ID"]}, ClientID: clientID,
		ClientSecretARN: d.env["ASANA_CLIENT_SECRET_ARN"], AsanaBaseURL: d.env["ASANA_BASE_URL"], Log: slog.New(slog.DiscardHandler),
		AuthorizeURL: public + "/authorize", ReturnURLs: []string{home}, Scopes: "default",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.expire(t)
	conn, err := deployment.Connections().Open(t.Context(), connection.Ref{ID: id, Owner: "o"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deployment.Tokens().Token(t.Context(), conn, token.Request{}); err != nil {
		t.Errorf("getting a token: %v", err)
	}
	for _, r := range []connection.Query{{Owner: "o"}, {AsanaUser: asanatest.Member}} {
		if page, _, err := deployment.Connections().List(t.Context(), r, connection.Page{}); err != nil || len(page) != 1 {
			t.Errorf("listing connections: got %v, %v; want one", page, err)
		}
	}
	if _, err := deployment.Links().Create(t.Context(), link.Request{Owner: "o"}); err != nil {
		t.Errorf("creating a link: %v", err)
	}
	// Make Asana reject the person's own token, so that the library looks for a reader.
	d.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/" + asanatest.Member + "/workspace_memberships", Status: http.StatusForbidden})
	if _, err := deployment.Memberships().List(t.Context(), conn, ""); err != nil {
		t.Errorf("listing memberships: %v", err)
	}
	if unused := unusedOf("library", may, g); len(unused) > 0 {
		t.Errorf("docs/iam/library.json has unused permissions: %v", unused)
	}
	for _, one := range g.all() {
		for _, c := range one.Calls() {
			if c.Statement < 0 {
				t.Errorf("docs/iam/library.json does not allow %s on %q", c.Action, c.LeadingKeys)
			}
		}
	}
	if _, err := deployment.Connections().Disconnect(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if hot := d.hot(t); hot.Status != string(asanaauth.Revoking) || d.asana.CountRequests("/-/oauth_revoke") != 1 {
		t.Errorf("got connection status %s, want revoking, as docs/iam.md says", hot.Status)
	}
	s.mustSend(t, http.MethodPost, "/connections/"+id+"/token", "", http.StatusConflict)
}

func configOf(g proxies) aws.Config {
	return aws.Config{
		Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		ConfigSources: []any{endpoints{"DynamoDB": g.rows.URL, "KMS": g.keys.URL, "Secrets Manager": g.secrets.URL}},
	}
}

// endpoints maps service IDs of the SDK to endpoint URLs.
type endpoints map[string]string

// SDK clients call GetServiceBaseEndpoint to get the endpoint of a service.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	u, ok := e[id]
	return u, ok, nil
}
