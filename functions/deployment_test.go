package functions_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/functions/internal/functest"
	"github.com/asanaauth/asanaauth/functions/internal/functest/awsproxy"
	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const (
	public = "https://auth.example.com"
	origin = "https://app.example.com"
	home   = origin + "/done"

	clientID     = "1300000000000009"
	clientSecret = "client-secret-of-the-tests"
)

// deployment simulates a deployment of template.yaml on this machine. Each function has
// only the environment variables and the permissions in the template. Local servers stand
// in for DynamoDB, KMS and Secrets Manager, and package asanatest stands in for Asana.
type deployment struct {
	*admin
	asana     *asanatest.Asana
	asanaFile string
	template  template.Template
	store     *dynamo.Store // has all permissions
	table     string
	env       map[string]string
	proxies   map[string]proxies     // by function name
	processes []*lambdatest.Function // all started functions
}

// proxies contains one function's proxies for DynamoDB, KMS and Secrets Manager.
type proxies struct{ rows, keys, secrets *awsproxy.Proxy }

func (g proxies) all() []*awsproxy.Proxy { return []*awsproxy.Proxy{g.rows, g.keys, g.secrets} }

// deploy makes a deployment with its own table, KMS key and secret. The arguments in
// changes are alternately the name and the value of an environment variable to change.
// The test fails if template.yaml does not allow an AWS call that a function makes.
func deploy(t *testing.T, changes ...string) *deployment {
	t.Helper()
	functest.LookAtSources(t)
	d := &deployment{admin: newAdmin(t), template: template.Load(t), proxies: map[string]proxies{},
		asanaFile: filepath.Join(t.TempDir(), "asana.json")}
	var err error
	d.asana, err = asanatest.New(asanatest.Options{File: d.asanaFile, Apps: []asanatest.App{{
		ClientID: clientID, ClientSecret: clientSecret, Name: "Functions", RedirectURIs: []string{public + "/callback"},
		Scopes: []string{"default", "openid", "email", "profile"}}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(d.asana)
	t.Cleanup(server.Close)
	d.asana.SetBaseURL(server.URL)

	d.table = d.admin.table(t)
	if d.store, err = dynamo.New(dynamo.Config{Client: d.rows, Table: d.table}); err != nil {
		t.Fatal(err)
	}
	d.env = functest.Env()
	maps.Copy(d.env, map[string]string{
		"TABLE_NAME": d.table, "INSTALLATION": "", "KMS_KEY_ID": d.key(t),
		"ASANA_CLIENT_SECRET_ARN": d.secret(t, `{"client_secret":"`+clientSecret+`"}`),
		"ASANA_CLIENT_ID":         clientID, "ASANA_BASE_URL": server.URL, "ASANA_ISSUER": "",
		"ASANA_SCOPES": "default openid email profile", "PUBLIC_URL": public, "RETURN_URLS": home, "ALLOWED_ORIGINS": origin,
	})
	for i := 0; i < len(changes); i += 2 {
		d.env[changes[i]] = changes[i+1]
	}
	for name, f := range d.template.Functions {
		d.proxies[name] = proxies{awsproxy.New(t, d.dynamoDB, &f), awsproxy.New(t, d.kmsURL, &f), awsproxy.New(t, d.secretsURL, &f)}
	}
	t.Cleanup(func() { d.reportDenied(t) })
	return d
}

// reportDenied reports the AWS calls that template.yaml does not allow. A denied call
// usually stops the test with an error that does not name the missing permission.
// Therefore reportDenied runs at the end of every test, even after such an error.
func (d *deployment) reportDenied(t *testing.T) {
	denied := map[string]bool{}
	for name, g := range d.proxies {
		for _, one := range g.all() {
			for _, c := range one.Calls() {
				if c.Statement < 0 {
					denied[fmt.Sprintf("%s to call %s on %q", name, c.Action, c.LeadingKeys)] = true
				}
			}
		}
	}
	for what := range denied {
		t.Errorf("template.yaml does not allow %s: add the permission to the function's role in template.yaml, "+
			"and to permissions() in functions/template_test.go", what)
	}
}

func (d *deployment) start(t *testing.T, name string) *lambdatest.Function {
	t.Helper()
	g := d.proxies[name]
	env := map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_ENDPOINT_URL_DYNAMODB": g.rows.URL, "AWS_ENDPOINT_URL_KMS": g.keys.URL,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": g.secrets.URL,
	}
	for _, variable := range d.template.Functions[name].Variables {
		env[variable] = d.env[variable]
	}
	f := lambdatest.Start(t, lambdatest.Build(t, "./"+name), env)
	if code, exited := f.Exited(); exited {
		t.Fatalf("%s has exited with %d:\n%s", name, code, strings.Join(f.Logs(), "\n"))
	}
	d.processes = append(d.processes, f)
	return f
}

// startAll starts all functions. The functions "callback" and "connections" start last,
// because they create the keyring when they start. Thus startAll also checks that the
// other functions start without a keyring.
func (d *deployment) startAll(t *testing.T) map[string]*lambdatest.Function {
	t.Helper()
	all := map[string]*lambdatest.Function{}
	for name := range d.template.Functions {
		if name != "callback" && name != "connections" {
			all[name] = d.start(t, name)
		}
	}
	all["callback"] = d.start(t, "callback")
	all["connections"] = d.start(t, "connections")
	return all
}

func (d *deployment) clearCalls() {
	for _, g := range d.proxies {
		for _, one := range g.all() {
			one.ClearCalls()
		}
	}
}

// hot returns the row that contains the tokens and the status of the only connection.
func (d *deployment) hot(t *testing.T) *store.Hot {
	t.Helper()
	for cursor, first := "", true; first || cursor != ""; first = false {
		var rows []store.Row
		var err error
		if rows, cursor, err = d.store.Scan(t.Context(), cursor); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if hot, ok := row.(*store.Hot); ok {
				return hot
			}
		}
	}
	t.Fatal("the table has no connection")
	return nil
}

// write replaces the stored row that has the same key as row. The test fails if the rev
// of the stored row is not oldRev.
func (d *deployment) write(t *testing.T, row store.Row, oldRev int64) {
	t.Helper()
	if err := d.store.Write(t.Context(), store.Put(row, oldRev, "test")); err != nil {
		t.Fatal(err)
	}
}

// expire changes the row of the only connection so that its access token has expired.
func (d *deployment) expire(t *testing.T) {
	t.Helper()
	hot := d.hot(t)
	hot.Issued, hot.Expires = time.Now().Add(-time.Hour), time.Now().Add(-time.Second)
	d.write(t, hot, hot.Rev)
}

// credentials returns the strings that no row and no log line may contain: the tokens and
// codes that Asana has issued, the client secret, and the person's name, e-mail address
// and picture.
func (d *deployment) credentials(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(d.asanaFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Tokens, Codes map[string]any }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	out := slices.Concat(slices.Collect(maps.Keys(file.Tokens)), slices.Collect(maps.Keys(file.Codes)))
	if len(out) < 3 {
		t.Fatalf("Asana has issued %d tokens and codes, want at least 3", len(out))
	}
	return append(out, clientSecret, "Mia Member", "mia@acme.example", "photos.example")
}

func (d *deployment) logged() string {
	var all strings.Builder
	for _, f := range d.processes {
		all.WriteString(strings.Join(f.Logs(), "\n") + "\n")
	}
	return all.String()
}

// text returns every attribute value in the table, including keys and binary values.
func (d *deployment) text(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, item := range d.scan(t, d.table) {
		for _, value := range item {
			switch v := value.(type) {
			case *types.AttributeValueMemberS:
				all.WriteString(v.Value + "\n")
			case *types.AttributeValueMemberN:
				all.WriteString(v.Value + "\n")
			case *types.AttributeValueMemberB:
				all.WriteString(string(v.Value) + "\n")
			case *types.AttributeValueMemberBOOL:
			default:
				t.Fatalf("a row has a value of the unsupported type %T", v)
			}
		}
	}
	if !strings.Contains(all.String(), "con_") {
		t.Fatal("no row has a connection id, so the table was not read correctly")
	}
	return all.String()
}
