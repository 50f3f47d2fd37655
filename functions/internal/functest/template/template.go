// Package template reads the parts of template.yaml that tests compare with the code. The
// package supports only the YAML syntax that these parts use now, and fails the test if
// they contain other syntax.
package template

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Template contains the parts of template.yaml that tests use.
type Template struct {
	Functions map[string]Function // by name: the function with the logical ID SessionFunction is "session"
	Resources map[string]Resource
}

// Function is a Lambda function and the permissions of its role.
type Function struct {
	LogicalID string
	Variables []string // sorted names of its environment variables, including the global ones
	Routes    []string // sorted, for example "ANY /session"
	SignedBy  []string // for each route, its authorizer, or "" if it has none
	Machine   string   // GOARCH
	Timeout   string   // in seconds
	Waits     []string // API Gateway's time limit for each route, in milliseconds
	Allows    []Statement
}

// Statement is a policy statement with the effect Allow.
type Statement struct {
	Actions     []string
	Resource    string            // the logical ID in !Ref or !GetAtt
	LeadingKeys []string          // patterns of partition keys; only for DynamoDB
	Context     map[string]string // required encryption context; "" is a value that the template computes
}

// Resource is a resource in template.yaml, without YAML tags such as !Ref.
type Resource struct {
	Type                                string
	DeletionPolicy, UpdateReplacePolicy string
	Metadata                            map[string]any
	Properties                          json.RawMessage
}

// Path returns the path of template.yaml. A test of any package in this module can call
// Path.
func Path(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "template.yaml")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no parent directory contains go.mod")
		}
		dir = filepath.Dir(dir)
	}
}

// Load reads template.yaml, and fails the test if the file has unsupported syntax.
func Load(t testing.TB) Template {
	t.Helper()
	text, err := os.ReadFile(Path(t))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

func parse(t testing.TB, text []byte) Template {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
	encoded, err := json.Marshal(plain(&document))
	if err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
	var file struct {
		Globals   struct{ Function functionProperties }
		Resources map[string]Resource
	}
	decode(t, "the file", encoded, &file)
	out := Template{Functions: map[string]Function{}, Resources: file.Resources}
	for id, r := range file.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		name, f := out.function(t, id, r, file.Globals.Function)
		out.Functions[name] = f
	}
	return out
}

// plain converts a YAML node to maps, slices and strings, without tags: !Ref X becomes
// "X", and !If [A, B, C] becomes a list.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plain(n.Content[0])
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			list[i] = plain(c)
		}
		return list
	}
	return n.Value
}

type functionProperties struct {
	Role, Timeout string
	Architectures []string
	Environment   struct{ Variables map[string]any }
	Events        map[string]struct {
		Type       string
		Properties struct {
			Method, Path, TimeoutInMillis string
			Auth                          struct{ Authorizer string }
		}
	}
}

// function converts the resource r, whose logical ID is id, to a Function. The first
// result is the function's key in [Template.Functions].
func (tm Template) function(t testing.TB, id string, r Resource, globals functionProperties) (string, Function) {
	t.Helper()
	var p functionProperties
	decode(t, id, r.Properties, &p)
	f := Function{LogicalID: id, Timeout: globals.Timeout + p.Timeout,
		Machine: strings.Join(append(globals.Architectures, p.Architectures...), " ")}
	for _, env := range []map[string]any{globals.Environment.Variables, p.Environment.Variables} {
		f.Variables = append(f.Variables, slices.Collect(maps.Keys(env))...)
	}
	slices.Sort(f.Variables)
	for _, event := range p.Events {
		f.Routes = append(f.Routes, event.Properties.Method+" "+event.Properties.Path)
		f.Waits = append(f.Waits, event.Properties.TimeoutInMillis)
		f.SignedBy = append(f.SignedBy, event.Properties.Auth.Authorizer)
	}
	slices.Sort(f.Routes)
	role, ok := strings.CutSuffix(p.Role, ".Arn")
	if !ok {
		t.Fatalf("template.yaml: the Role of %s is not !GetAtt ROLE.Arn", id)
	}
	f.Allows = tm.role(t, role)
	return strings.ToLower(strings.TrimSuffix(id, "Function")), f
}

type policyDocument struct {
	Statement []struct {
		Effect    string
		Action    []string
		Resource  string
		Condition map[string]map[string]json.RawMessage
	}
}

// role returns the policy statements of the role with the logical ID id, including those
// of its managed policies.
func (tm Template) role(t testing.TB, id string) []Statement {
	t.Helper()
	var p struct {
		ManagedPolicyArns []string
		Policies          []struct{ PolicyDocument policyDocument }
	}
	decode(t, id, tm.Resources[id].Properties, &p)
	var out []Statement
	for _, policy := range p.Policies {
		out = append(out, statements(t, id, policy.PolicyDocument)...)
	}
	for _, managed := range p.ManagedPolicyArns {
		var m struct{ PolicyDocument policyDocument }
		if tm.Resources[managed].Type != "AWS::IAM::ManagedPolicy" {
			t.Fatalf("template.yaml: %s has the policy %s, which the template does not define", id, managed)
		}
		decode(t, managed, tm.Resources[managed].Properties, &m)
		out = append(out, statements(t, managed, m.PolicyDocument)...)
	}
	return out
}

func statements(t testing.TB, id string, d policyDocument) []Statement {
	t.Helper()
	var out []Statement
	for _, s := range d.Statement {
		if s.Effect != "Allow" || len(s.Action) == 0 || s.Resource == "" {
			t.Fatalf("template.yaml: %s has a statement of an unsupported form", id)
		}
		one := Statement{Actions: s.Action, Resource: strings.TrimSuffix(s.Resource, ".Arn")}
		for operator, conditions := range s.Condition {
			for key, value := range conditions {
				one.condition(t, id, operator, key, value)
			}
		}
		out = append(out, one)
	}
	return out
}

func (s *Statement) condition(t testing.TB, id, operator, key string, value json.RawMessage) {
	t.Helper()
	name, isContext := strings.CutPrefix(key, "kms:EncryptionContext:")
	switch {
	case operator == "ForAllValues:StringLike" && key == "dynamodb:LeadingKeys":
		decode(t, id, value, &s.LeadingKeys)
	case operator == "StringEquals" && isContext:
		if s.Context == nil {
			s.Context = map[string]string{}
		}
		var text any
		decode(t, id, value, &text)
		s.Context[name], _ = text.(string) // "" if the template computes the value
	default:
		t.Fatalf("template.yaml: %s has the unsupported condition %s %s", id, operator, key)
	}
}

func decode(t testing.TB, id string, text json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("template.yaml: %s: %v", id, err)
	}
}
