// Package template reads template.yaml as far as tests compare it with the code.
// It knows the shapes that the file has, and fails the test for any other.
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

// Template is template.yaml.
type Template struct {
	Functions map[string]Function // by the first segment of their path
	Resources map[string]Resource
}

// Function is one function with what its role may do.
type Function struct {
	LogicalID string
	Variables []string // sorted, the global ones among them
	Routes    []string // "METHOD /path"
	SignedBy  []string // the authorizer of each route, "" where it has none
	Machine   string   // GOARCH
	Timeout   string   // in seconds
	Waits     []string // milliseconds that API Gateway waits, for each route
	Allows    []Statement
}

// Statement is one that allows: every one does.
type Statement struct {
	Actions     []string
	Resource    string            // what !Ref or !GetAtt names
	LeadingKeys []string          // patterns of partition keys; none for other services
	Context     map[string]string // of encryption; "installation" is "" where it is worked out
}

// Resource is one resource as it is written.
type Resource struct {
	Type                                string
	DeletionPolicy, UpdateReplacePolicy string
	Metadata                            map[string]any
	Properties                          json.RawMessage
}

// Path finds template.yaml, from whichever package a test runs in.
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
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// Load reads template.yaml.
func Load(t testing.TB) Template {
	t.Helper()
	text, err := os.ReadFile(Path(t))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// parse reads a template.
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

// plain drops tags, so that !Ref X is "X" and !If [A, B, C] a list, and makes a
// string of every scalar.
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
	name := ""
	for _, event := range p.Events {
		f.Routes = append(f.Routes, event.Properties.Method+" "+event.Properties.Path)
		f.Waits = append(f.Waits, event.Properties.TimeoutInMillis)
		f.SignedBy = append(f.SignedBy, event.Properties.Auth.Authorizer)
		if name, _, _ = strings.Cut(strings.TrimPrefix(event.Properties.Path, "/"), "/"); name == "links" {
			name = "connections"
		}
	}
	slices.Sort(f.Routes)
	role, ok := strings.CutSuffix(p.Role, ".Arn")
	if !ok {
		t.Fatalf("template.yaml: %s has no role of its own", id)
	}
	f.Allows = tm.role(t, role)
	return name, f
}

type policyDocument struct {
	Statement []struct {
		Effect    string
		Action    []string
		Resource  string
		Condition map[string]map[string]json.RawMessage
	}
}

// role gives the statements of a role and of its managed policies.
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
			t.Fatalf("template.yaml: %s has the policy %s, which is not in the template", id, managed)
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
			t.Fatalf("template.yaml: %s has a statement that is not understood", id)
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
		s.Context[name], _ = text.(string) // else it is worked out
	default:
		t.Fatalf("template.yaml: %s has the condition %s %s, which is not understood", id, operator, key)
	}
}

func decode(t testing.TB, id string, text json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("template.yaml: %s: %v", id, err)
	}
}
