package asanaauth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/asanaauth/asanaauth/"

// importRule says what a package may import. A pattern is an import path and all
// below it, or with a $ at the end that package alone; "~/" stands for this module.
type importRule struct {
	pkg   string
	may   []string // import itself, beside the standard library; nil: anything
	never []string // not even through others
	why   string
}

const (
	anyAWS     = "github.com/aws"
	awsLambda  = "github.com/aws/aws-lambda-go"
	awsSDK     = "github.com/aws/aws-sdk-go-v2"
	smithy     = "github.com/aws/smithy-go"
	dynamoDB   = awsSDK + "/service/dynamodb"
	kmsClient  = awsSDK + "/service/kms"
	smClient   = awsSDK + "/service/secretsmanager"
	oauth2     = "golang.org/x/oauth2"
	oidc       = "github.com/coreos/go-oidc/v3"
	jose       = "github.com/go-jose/go-jose/v4"
	rules      = "~/pkg/asanaauth$"
	webURL     = "~/internal/weburl$"
	strictJSON = "~/internal/strictjson$"
)

// our gives patterns of packages below pkg/asanaauth.
func our(names ...string) []string {
	for i, name := range names {
		names[i] = "~/pkg/asanaauth/" + name
	}
	return names
}

func importRules() []importRule {
	nothing := []string{}
	return []importRule{
		{"~/internal/weburl$", nothing, []string{"~", anyAWS},
			"every package that has to judge a URL may import it"},
		{"~/internal/strictjson$", nothing, []string{"~", anyAWS, "net/http"},
			"every package that reads JSON of others may import it"},
		{"~/internal/env$", []string{webURL}, []string{"~/pkg", "~/functions", "~/cmd", anyAWS},
			"functions and command read variables by the same rules, and link nothing else for it"},
		{"~/internal/lambdahttp$", []string{awsLambda}, []string{"~", "net/http/httptest"},
			"it knows nothing of this product, and ships no test code"},
		{"~/internal/lambdatest$", nothing, []string{"~", anyAWS},
			"it runs built functions, and shares no code with them"},
		{"~/internal/awstest$", []string{awsSDK + "/aws", awsSDK + "/config", awsSDK + "/service"}, []string{"~"},
			"it makes what a deployment consists of, as somebody else would"},
		{"~/pkg/asanaauth/secret$", nothing, []string{"~", anyAWS, "net/http"},
			"secrets are held by every package, so this one leans on none"},
		{"~/pkg/asanaauth/store$", our("secret"), []string{anyAWS, "net/http", rules},
			"what a row is does not depend on where it is kept"},
		{"~/pkg/asanaauth/store/storetest$", append(our("secret", "store"), "github.com/google/go-cmp"), []string{anyAWS, rules},
			"one suite proves all stores alike, and knows none of them"},
		{"~/pkg/asanaauth/store/dynamo$", append(our("secret", "store"), awsSDK+"/aws", dynamoDB, smithy), []string{kmsClient, smClient, rules},
			"who reaches the table must not be able to unwrap what is in it"},
		{"~/pkg/asanaauth/store/bolt$", append(our("secret", "store"), "go.etcd.io/bbolt"), []string{anyAWS, rules},
			"the local store is a file and nothing else"},
		{"~/pkg/asanaauth/seal$", our("secret"), []string{anyAWS, "net/http", rules},
			"sealing is a computation: who wraps the keyring is an adapter's business"},
		{"~/pkg/asanaauth/seal/sealtest$", our("secret", "seal"), []string{anyAWS, rules},
			"one suite proves all wrappers alike, and knows none of them"},
		{"~/pkg/asanaauth/seal/kms$", append(our("seal"), awsSDK+"/aws", kmsClient, smithy), []string{dynamoDB, smClient, rules},
			"who unwraps keys needs no way to the rows"},
		{"~/pkg/asanaauth/seal/local$", our("seal"), []string{anyAWS, "net/http", rules},
			"the local key is a file and nothing else"},
		{"~/pkg/asanaauth/asana$", append(our("secret"), webURL, strictJSON, oauth2, oidc, jose), []string{anyAWS, "~/pkg/asanaauth/store", "~/pkg/asanaauth/seal", rules},
			"it speaks to Asana and keeps nothing"},
		{"~/pkg/asanaauth/asana/secretsmanager$", append(our("secret"), awsSDK+"/aws", smClient, smithy), []string{dynamoDB, kmsClient, rules, "~/pkg/asanaauth/store", "~/pkg/asanaauth/seal"},
			"who fetches the client secret needs nothing else of ours"},
		{rules, append(our("secret", "store$", "seal$", "asana$"), webURL, oauth2, "golang.org/x/sync"), []string{anyAWS, "~/pkg/asanaauth/httpapi", "~/functions"},
			"the rules touch the world through five doors, so that they can be simulated"},
		{"~/pkg/asanaauth/httpapi$", append(our("secret", "store$", "asana$"), rules, webURL, strictJSON, "github.com/jub0bs/cors"), []string{anyAWS, "~/functions", "~/internal/lambdahttp"},
			"the same handlers run in one local process and in Lambda functions"},
		{"~/pkg/asanatest$", []string{jose}, []string{"~", anyAWS},
			"anyone can test their Asana client against it; and what shares code with us would share our mistakes"},

		{"~/pkg/asanaauth/onaws$", append(our("secret", "store", "seal", "asana"), rules, awsSDK+"/aws", awsSDK+"/service", smithy), []string{"~/functions", "~/pkg/asanaauth/httpapi", "~/internal/lambdahttp", awsSDK + "/config"},
			"a Go backend brings its own AWS configuration, and serves no routes of ours"},

		{"~/functions/internal/boot$", []string{"~/internal/env", "~/internal/lambdahttp", awsSDK + "/aws", awsLambda}, []string{awsSDK + "/service", rules},
			"all mains share it, so what it imports is linked by every function"},
		{"~/functions/internal/wire$", nil, []string{kmsClient, smClient, "~/pkg/asanaauth/seal/kms", "~/pkg/asanaauth/asana/secretsmanager"},
			"authorize imports it too"},
		{"~/functions/authorize$", nil, []string{kmsClient, smClient, "~/pkg/asanaauth/seal/kms", "~/pkg/asanaauth/asana/secretsmanager"},
			"authorize must not be able to decrypt, and needs no client secret"},
		{"~/functions/session$", nil, []string{smClient, "~/pkg/asanaauth/asana/secretsmanager"},
			"session does not speak to Asana"},
	}
}

// notShipped is what no function links.
func notShipped() []importRule {
	const slow = "a function's size is a cold start's time, and templates and net/rpc keep the linker from dropping methods"
	return []importRule{
		{never: []string{"html/template", "text/template", "net/rpc"}, why: slow},
		{never: []string{awsSDK + "/config", awsSDK + "/credentials"}, why: "boot makes aws.Config by hand; this links SSO and STS, and looks for files"},
		{never: []string{"golang.org/x/crypto/x509roots"}, why: "Amazon Linux has the roots"},
		{never: []string{"testing", "net/http/httptest", "~/pkg/asanatest", "~/internal/lambdatest", "~/internal/awstest", "~/functions/internal/functest",
			"~/pkg/asanaauth/store/storetest", "~/pkg/asanaauth/seal/sealtest"}, why: "tests and what they stand on do not ship"},
		{never: []string{"~/pkg/asanaauth/seal/local", "~/pkg/asanaauth/store/bolt"}, why: "on AWS keys are wrapped by KMS, and rows are in the table"},
		{never: []string{"~/pkg/asanaauth/onaws"}, why: "it imports every adapter"},
	}
}

type listed struct {
	ImportPath, Name string
	Standard         bool
	Imports, Deps    []string
}

// goList returns the packages of this module below pkg, internal and functions, with
// all that they import of it, and which packages are the standard library's.
func goList(t *testing.T) (ours []listed, standard map[string]bool) {
	t.Helper()
	lookAtSources(t, "../../pkg", "../../internal", "../../functions")
	cmd := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "-json=ImportPath,Name,Standard,Imports,Deps",
		"../../pkg/...", "../../internal/...", "../../functions/...")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &problems)
	}
	standard = map[string]bool{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return ours, standard
		} else if err != nil {
			t.Fatal(err)
		}
		standard[p.ImportPath] = p.Standard
		if strings.HasPrefix(p.ImportPath, module) {
			ours = append(ours, p)
		}
	}
}

// lookAtSources makes "go test" run this test again when a file changes that this
// package does not import: what go list reads, the test's cache does not see.
func lookAtSources(t *testing.T, roots ...string) {
	t.Helper()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestImports(t *testing.T) {
	ours, standard := goList(t)
	table := importRules()
	for _, rule := range table {
		if !slices.ContainsFunc(ours, func(p listed) bool { return matches(rule.pkg, p.ImportPath) }) {
			t.Errorf("there is a rule for %s, and no such package", rule.pkg)
		}
	}
	for _, p := range ours {
		ruled := false
		for _, rule := range table {
			if matches(rule.pkg, p.ImportPath) {
				ruled = true
				checkImports(t, rule, p, standard)
			}
		}
		if !ruled && matchesAny([]string{"~/pkg", "~/internal"}, p.ImportPath) {
			t.Errorf("%s has no rule here: say what it may import", p.ImportPath)
		}
	}
}

func TestShippedFunctions(t *testing.T) {
	ours, standard := goList(t)
	count := 0
	for _, p := range ours {
		if p.Name != "main" || !matches("~/functions", p.ImportPath) {
			continue
		}
		count++
		for _, rule := range notShipped() {
			checkImports(t, rule, p, standard)
		}
	}
	if count < 7 {
		t.Errorf("found %d functions, want 7 or more", count)
	}
}

func checkImports(t *testing.T, rule importRule, p listed, standard map[string]bool) {
	t.Helper()
	short := func(path string) string { return strings.Replace(path, module, "~/", 1) }
	for _, path := range p.Imports {
		if rule.may != nil && !standard[path] && !matchesAny(rule.may, path) {
			t.Errorf("%s imports %s: %s", short(p.ImportPath), short(path), rule.why)
		}
	}
	for _, path := range p.Deps {
		if matchesAny(rule.never, path) {
			t.Errorf("%s depends on %s: %s", short(p.ImportPath), short(path), rule.why)
		}
	}
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, path) })
}

func matches(pattern, path string) bool {
	pattern = strings.TrimSuffix(strings.Replace(pattern+"/", "~/", module, 1), "/")
	if exact, ok := strings.CutSuffix(pattern, "$"); ok {
		return path == exact
	}
	return path == pattern || strings.HasPrefix(path, pattern+"/")
}
