package asanaauth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/asanaauth/asanaauth/"

// importRule says what a package may import. The fields "may" and "never" contain
// patterns. A pattern is an import path, and also matches all packages below that path.
// A pattern that ends with a $ matches only the package itself. "~/" is short for the
// path of this module.
type importRule struct {
	pkg   string
	may   []string // what the package may import besides the standard library; nil means anything
	never []string // what the package must not link, even through other packages
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
	root       = "~/pkg/asanaauth$"
	webURL     = "~/internal/weburl$"
	strictJSON = "~/internal/strictjson$"
	awsRetry   = "~/internal/awsretry$"
)

func our(names ...string) []string {
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = "~/pkg/asanaauth/" + name
	}
	return patterns
}

// servicePackages are the packages that httpapi, onaws and Go backends call. Of these
// packages, a service package may import only those before it in this list.
var servicePackages = []string{"connection", "token", "membership", "session", "link", "login"}

// nothing allows only imports of the standard library. It must not be nil, because nil
// allows all imports.
var nothing = []string{}

func importRules() []importRule {
	return slices.Concat(supportRules(), leafRules(), sharedRules(), serviceRules(), outerRules())
}

// supportRules returns the rules for the packages in the folder internal, which users of
// the module cannot import.
func supportRules() []importRule {
	return []importRule{
		{"~/internal/weburl$", nothing, []string{"~", anyAWS},
			"every package that checks URLs may import it"},
		{"~/internal/strictjson$", nothing, []string{"~", anyAWS, "net/http"},
			"every package that reads JSON from outside may import it"},
		{"~/internal/version$", nothing, []string{"~", anyAWS, "net/http"},
			"every function and the command link it"},
		{"~/internal/env$", []string{webURL}, []string{"~/pkg", "~/functions", "~/cmd", anyAWS},
			"the functions and the command read variables by the same rules, and must not link anything else for that"},
		{"~/internal/lambdahttp$", []string{awsLambda}, []string{"~", "net/http/httptest"},
			"it is independent of this product, and contains no test code"},
		{"~/internal/lambdatest$", nothing, []string{"~", anyAWS},
			"it runs built functions, and shares no code with them"},
		{awsRetry, []string{awsSDK + "/aws"}, []string{"~", awsSDK + "/service"},
			"the functions, the library and the adapters of AWS services share it"},
		{"~/internal/awstest$", []string{awsSDK + "/aws", awsSDK + "/config", awsSDK + "/service"}, []string{"~"},
			"it makes the resources of a deployment without our code, as CloudFormation does"},
	}
}

// leafRules returns the rules for the packages that the service packages import, and for
// their adapters.
func leafRules() []importRule {
	return []importRule{
		{root, our("secret$"), []string{anyAWS, "net/http"},
			"all service packages share its types, so it must not depend on them"},
		{"~/pkg/asanaauth/secret$", nothing, []string{"~", anyAWS, "net/http"},
			"every package uses it, so it must not depend on any of them"},
		{"~/pkg/asanaauth/store$", our("secret$"), []string{anyAWS, "net/http", root},
			"the format of rows does not depend on the database"},
		{"~/pkg/asanaauth/store/storetest$", append(our("secret$", "store$"), "github.com/google/go-cmp"), []string{anyAWS, root},
			"the same suite tests every store, so it must not depend on any of them"},
		{"~/pkg/asanaauth/store/dynamo$", append(our("secret$", "store$"), awsRetry, awsSDK+"/aws", dynamoDB, smithy), []string{kmsClient, smClient, root},
			"code that reads the table must not be able to unwrap the keys to it"},
		{"~/pkg/asanaauth/store/bolt$", append(our("secret$", "store$"), "go.etcd.io/bbolt"), []string{anyAWS, root},
			"the local store is only a file"},
		{"~/pkg/asanaauth/seal$", our("secret$"), []string{anyAWS, "net/http", root},
			"sealing is only a computation, and an adapter wraps the keyring"},
		{"~/pkg/asanaauth/seal/sealtest$", our("secret$", "seal$"), []string{anyAWS, root},
			"the same suite tests every wrapper, so it must not depend on any of them"},
		{"~/pkg/asanaauth/seal/kms$", append(our("seal$"), awsRetry, awsSDK+"/aws", kmsClient, smithy), []string{dynamoDB, smClient, root},
			"code that unwraps keys must not be able to read the table"},
		{"~/pkg/asanaauth/seal/local$", our("seal$"), []string{anyAWS, "net/http", root},
			"the local key is only a file"},
		{"~/pkg/asanaauth/asana$", append(our("secret$"), webURL, strictJSON, oauth2, oidc, jose), append(our("store", "seal"), anyAWS, root),
			"it sends requests to Asana and stores nothing"},
		{"~/pkg/asanaauth/asana/secretsmanager$", append(our("secret$"), awsSDK+"/aws", smClient, smithy), append(our("store", "seal", "asana$"), dynamoDB, kmsClient, root),
			"fetching the client secret needs nothing else of ours"},
		{"~/pkg/asanaauth/keyring$", our("seal$", "store$", "secret$"), []string{anyAWS, root},
			"it reaches KMS only through a seal.Wrapper"},
		{"~/pkg/asanaauth/clientsecret$", our("seal$", "store$", "secret$"), []string{anyAWS, root},
			"it reaches Secrets Manager only through a Source"},
		{"~/pkg/asanatest$", []string{jose}, []string{"~", anyAWS},
			"it tests our client of Asana, and shared code would contain the same mistakes on both sides"},
	}
}

// sharedRules returns the rules for the internal packages that the service packages share.
func sharedRules() []importRule {
	aboveThem := append(our(servicePackages...), "~/pkg/asanaauth/httpapi", "~/functions", anyAWS)
	return []importRule{
		{"~/pkg/asanaauth/internal/row$", append(our("store$", "seal$", "secret$", "keyring$"), root),
			append(our("asana", "internal/requests", "internal/consent", "internal/refresher"), append(aboveThem, "net/http")...),
			"it uses the network only through the store"},
		{"~/pkg/asanaauth/internal/requests$", append(our("internal/row$", "asana$", "clientsecret$", "secret$"), root),
			append(our("internal/consent", "internal/refresher"), aboveThem...),
			"it sends requests to Asana and knows nothing about connections"},
		{"~/pkg/asanaauth/internal/consent$", append(our("internal/row$", "asana$", "store$", "seal$", "secret$"), root),
			append(our("internal/requests", "internal/refresher"), aboveThem...),
			"it saves what Asana returned and sends no request"},
		{"~/pkg/asanaauth/internal/refresher$", append(our("internal/row$", "internal/requests$", "keyring$", "clientsecret$", "asana$", "store$", "seal$", "secret$"), root, "golang.org/x/sync"),
			append(our("internal/consent"), aboveThem...),
			"the refresh protocol must not depend on the service packages, so that it can be simulated alone"},
		{"~/pkg/asanaauth/internal/accesstoken$", append(our("internal/row$", "internal/requests$", "internal/refresher$", "asana$", "store$", "secret$"), root),
			append(our("internal/consent"), append(aboveThem, "~/pkg/asanaauth/httpapi")...),
			"it gets tokens, and the packages above it decide who may have them"},
		{"~/pkg/asanaauth/internal/authtest$",
			append(our(append(slices.Clone(servicePackages), "asana$", "clientsecret$", "keyring$", "secret$", "seal$", "seal/local$", "seal/sealtest$", "store$", "store/storetest$")...), root, "~/pkg/asanatest$"),
			[]string{anyAWS, "~/pkg/asanaauth/httpapi", "~/functions"},
			"it wires the service packages in memory, for their tests and for the tests of the layers above"},
	}
}

func serviceRules() []importRule {
	shared := append(our("internal/row$", "internal/requests$", "internal/consent$", "internal/refresher$", "internal/accesstoken$",
		"asana$", "store$", "seal$", "secret$", "keyring$", "clientsecret$"), root, oauth2, webURL)
	var rules []importRule
	for i, name := range servicePackages {
		rules = append(rules, importRule{
			"~/pkg/asanaauth/" + name + "$",
			append(our(servicePackages[:i]...), shared...),
			append(our(servicePackages[i+1:]...), anyAWS, "~/pkg/asanaauth/httpapi", "~/functions"),
			"a service package imports only the service packages before it, and neither HTTP handlers nor AWS",
		})
	}
	return rules
}

// outerRules returns the rules for the packages that import the service packages.
func outerRules() []importRule {
	return []importRule{
		{"~/pkg/asanaauth/httpapi$", append(our(append([]string{"secret$"}, servicePackages...)...), root, webURL, strictJSON, "github.com/jub0bs/cors"),
			[]string{anyAWS, "~/functions", "~/internal/lambdahttp"},
			"the same handlers run in the local command and in Lambda functions, and must not access rows and keys"},
		{"~/pkg/asanaauth/onaws$", append(our(append([]string{"asana", "secret$", "store", "seal", "keyring$", "clientsecret$"}, servicePackages...)...), root, awsRetry, awsSDK+"/aws", awsSDK+"/service", smithy),
			[]string{"~/functions", "~/pkg/asanaauth/httpapi", "~/internal/lambdahttp", awsSDK + "/config"},
			"a Go backend has its own AWS configuration, and does not serve our routes"},
		// boot imports internal/version to log the version when a function starts.
		{"~/functions/internal/boot$", []string{"~/internal/env", "~/internal/lambdahttp", "~/internal/version$", awsRetry, awsSDK + "/aws", awsLambda}, []string{awsSDK + "/service", "~/pkg"},
			"every main imports it, so every function links what it imports"},
		{"~/functions/internal/wire$", nil, append(our("seal/kms", "asana/secretsmanager"), kmsClient, smClient),
			"authorize imports it, and must not be able to decrypt"},
		{"~/functions/authorize$", nil, append(our("seal/kms", "asana/secretsmanager"), kmsClient, smClient),
			"authorize must not be able to decrypt, and needs no client secret"},
		{"~/functions/session$", nil, append(our("asana/secretsmanager"), smClient),
			"session sends no requests to Asana"},
	}
}

// notShipped returns the rules for packages that no Lambda function may link.
func notShipped() []importRule {
	const slow = "a larger function starts slower, and templates and net/rpc keep the linker from dropping methods"
	return []importRule{
		{never: []string{"html/template", "text/template", "net/rpc"}, why: slow},
		{never: []string{awsSDK + "/config", awsSDK + "/credentials"}, why: "these packages link SSO and STS and read files, so boot builds aws.Config itself"},
		{never: []string{"golang.org/x/crypto/x509roots"}, why: "Amazon Linux already has the root certificates"},
		{never: append(our("internal/authtest", "store/storetest", "seal/sealtest"),
			"testing", "net/http/httptest", "~/pkg/asanatest", "~/internal/lambdatest", "~/internal/awstest", "~/functions/internal/functest"),
			why: "functions must not contain test code"},
		{never: our("seal/local", "store/bolt"), why: "on AWS, KMS wraps the keys and DynamoDB stores the rows"},
		{never: our("onaws"), why: "it imports every adapter"},
	}
}

type listed struct {
	ImportPath, Name string
	Standard         bool
	Imports, Deps    []string
}

// goList returns the packages of this module. standard[path] is true only if path is a
// package of the standard library.
func goList(t *testing.T) (ours []listed, standard map[string]bool) {
	t.Helper()
	lookAtSources(t, "../../pkg", "../../internal", "../../functions")
	packages, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	standard = map[string]bool{}
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
		if strings.HasPrefix(p.ImportPath, module) {
			ours = append(ours, p)
		}
	}
	return ours, standard
}

var listPackages = sync.OnceValues(func() (packages []listed, err error) {
	cmd := exec.Command("go", "list", "-deps", "-tags", "lambda.norpc", "-json=ImportPath,Name,Standard,Imports,Deps",
		"../../pkg/...", "../../internal/...", "../../functions/...")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &problems)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
})

// lookAtSources calls os.Stat for all source files, because "go test" does not know which
// files "go list" reads. After one of these files changes, "go test" then runs the tests
// again instead of using a cached result.
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
	t.Parallel()
	ours, standard := goList(t)
	table := importRules()
	for _, rule := range table {
		if !slices.ContainsFunc(ours, func(p listed) bool { return matches(rule.pkg, p.ImportPath) }) {
			t.Errorf("the package %s, which has a rule, does not exist", rule.pkg)
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
			t.Errorf("%s has no rule: add a rule that says what it may import", p.ImportPath)
		}
	}
}

func TestShippedFunctions(t *testing.T) {
	t.Parallel()
	ours, standard := goList(t)
	count := 0
	imports := map[string][]string{}
	for _, p := range ours {
		imports[p.ImportPath] = p.Imports
	}
	for _, p := range ours {
		if p.Name != "main" || !matches("~/functions", p.ImportPath) {
			continue
		}
		count++
		for _, dep := range p.Deps {
			if slices.Contains(imports[dep], "regexp") {
				t.Errorf("%s imports regexp, and a function links it: a function compiles nothing while it starts", dep)
			}
		}
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
