package functions_test

import (
	"encoding/json"
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
	"github.com/asanaauth/asanaauth/functions/internal/functest/gate"
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

// deployment is what template.yaml describes, on this machine: the built functions,
// each with the variables and the permissions that the template gives it, a
// DynamoDB, a KMS and a Secrets Manager, and an offline Asana.
type deployment struct {
	*admin
	asana     *asanatest.Asana
	asanaFile string
	template  template.Template
	store     *dynamo.Store // the deployer's
	table     string
	env       map[string]string
	gates     map[string]gates       // by function
	processes []*lambdatest.Function // all that were started
}

// gates are one function's ways out.
type gates struct{ rows, keys, secrets *gate.Gate }

func (g gates) all() []*gate.Gate { return []*gate.Gate{g.rows, g.keys, g.secrets} }

// deploy makes a deployment with a table, a key and a secret of its own. changes
// are pairs of a variable and its value.
func deploy(t *testing.T, changes ...string) *deployment {
	t.Helper()
	functest.LookAtSources(t)
	d := &deployment{admin: newAdmin(t), template: template.Load(t), gates: map[string]gates{},
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
		d.gates[name] = gates{gate.New(t, d.dynamoDB, &f), gate.New(t, d.kmsURL, &f), gate.New(t, d.secretsURL, &f)}
	}
	return d
}

// start starts a process of a function with the variables that template.yaml gives
// it, and Lambda's own.
func (d *deployment) start(t *testing.T, name string) *lambdatest.Function {
	t.Helper()
	g := d.gates[name]
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

// startAll starts a process of each function: last the callback, which makes the
// first keyring, so that the others begin without one, and connections, which would
// make it too.
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

// forget forgets the calls of all gates.
func (d *deployment) forget() {
	for _, g := range d.gates {
		for _, one := range g.all() {
			one.Forget()
		}
	}
}

// hot reads the only connection's hot row.
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
	t.Fatal("there is no connection")
	return nil
}

// write puts a row into the place of the one that is there.
func (d *deployment) write(t *testing.T, row store.Row, replaces int64) {
	t.Helper()
	if err := d.store.Write(t.Context(), store.Put(row, replaces, "test")); err != nil {
		t.Fatal(err)
	}
}

// expire ends the access token of the only connection, as time would.
func (d *deployment) expire(t *testing.T) {
	t.Helper()
	hot := d.hot(t)
	hot.Issued, hot.Expires = time.Now().Add(-time.Hour), time.Now().Add(-time.Second)
	d.write(t, hot, hot.Rev)
}

// credentials are the tokens and codes that Asana has given out so far, and what
// else nobody may read: the client secret, and what is known of the person.
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
		t.Fatalf("Asana has given out %d tokens and codes, want 3 at least", len(out))
	}
	return append(out, clientSecret, "Mia Member", "mia@acme.example", "photos.example")
}

// logged is all that the functions have logged.
func (d *deployment) logged() string {
	var all strings.Builder
	for _, f := range d.processes {
		all.WriteString(strings.Join(f.Logs(), "\n") + "\n")
	}
	return all.String()
}

// text is every value in the table, keys and binary ones included.
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
				t.Fatalf("a row has a value of type %T, which nobody looks into", v)
			}
		}
	}
	if !strings.Contains(all.String(), "con_") {
		t.Fatal("no row names a connection: the table was not read as it is")
	}
	return all.String()
}
