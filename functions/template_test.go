package functions_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// permissions returns the permissions of each function: an action and, for DynamoDB, a
// pattern of partition keys. TestPermissions runs the functions, and checks that their
// AWS requests use exactly these permissions.
func permissions() map[string][]string {
	opens := []string{"dynamodb:BatchGetItem k#keyring", "kms:Decrypt", "logs:CreateLogStream", "logs:PutLogEvents"}
	asks := append(slices.Clone(opens), "secretsmanager:GetSecretValue")
	refreshes := append(slices.Clone(asks),
		"dynamodb:BatchGetItem c#*", "dynamodb:BatchGetItem s#*", "dynamodb:PutItem c#*", "dynamodb:PutItem s#*",
		"dynamodb:Query u#*") // if a connection is deleted during a refresh
	return map[string][]string{
		"authorize": {"dynamodb:BatchGetItem a#*", "dynamodb:BatchGetItem l#*", "dynamodb:PutItem a#*", "logs:CreateLogStream", "logs:PutLogEvents"},
		"callback": append(slices.Clone(asks), "kms:Encrypt",
			"dynamodb:BatchGetItem a#*", "dynamodb:BatchGetItem c#*", "dynamodb:BatchGetItem l#*", "dynamodb:BatchGetItem s#*", "dynamodb:BatchGetItem u#*", "dynamodb:DeleteItem s#*",
			"dynamodb:PutItem a#*", "dynamodb:PutItem c#*", "dynamodb:PutItem k#keyring", "dynamodb:PutItem l#*", "dynamodb:PutItem s#*", "dynamodb:PutItem u#*"),
		"session": append(slices.Clone(opens),
			"dynamodb:BatchGetItem c#*", "dynamodb:BatchGetItem s#*", "dynamodb:DeleteItem s#*", "dynamodb:PutItem c#*", "dynamodb:PutItem s#*", "dynamodb:PutItem x#*"),
		"refresh":    refreshes,
		"membership": append(slices.Clone(refreshes), "dynamodb:BatchGetItem w#*"),
		"disconnect": append(slices.Clone(refreshes), "dynamodb:BatchGetItem u#*",
			"dynamodb:DeleteItem c#*", "dynamodb:DeleteItem s#*", "dynamodb:DeleteItem u#*"),
		"connections": append(slices.Clone(asks), "kms:Encrypt",
			"dynamodb:BatchGetItem c#*", "dynamodb:BatchGetItem l#*", "dynamodb:BatchGetItem s#*", "dynamodb:BatchGetItem u#*",
			"dynamodb:BatchGetItem i#*", "dynamodb:BatchGetItem w#*", "dynamodb:BatchGetItem x#*",
			"dynamodb:PutItem c#*", "dynamodb:PutItem i#*", "dynamodb:PutItem k#keyring", "dynamodb:PutItem l#*", "dynamodb:PutItem u#*", "dynamodb:PutItem w#*", "dynamodb:PutItem x#*",
			"dynamodb:DeleteItem c#*", "dynamodb:DeleteItem i#*", "dynamodb:DeleteItem u#*", "dynamodb:DeleteItem w#*",
			"dynamodb:Query c#*", "dynamodb:Query u#*"),
	}
}

func TestTemplatePermissions(t *testing.T) {
	want := permissions()
	for name, f := range template.Load(t).Functions {
		slices.Sort(want[name])
		var got []string
		for _, s := range f.Allows {
			for _, action := range s.Actions {
				for _, key := range keysOf(s) {
					got = append(got, strings.TrimSpace(action+" "+key))
				}
				checkResource(t, name, action, s)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("permissions() in this file and the role of %s in template.yaml must be the same (-permissions() +template.yaml):\n%s", name, diff)
		}
	}
}

func keysOf(s template.Statement) []string {
	if len(s.LeadingKeys) == 0 {
		return []string{""}
	}
	return s.LeadingKeys
}

func checkResource(t *testing.T, name, action string, s template.Statement) {
	t.Helper()
	service, _, _ := strings.Cut(action, ":")
	want := map[string]string{"dynamodb": "Table", "kms": "Key", "secretsmanager": "AsanaClientSecretArn", "logs": "FunctionLogs"}[service]
	if s.Resource != want {
		t.Errorf("%s: got %s on %s, want it on %s", name, action, s.Resource, want)
	}
	if service == "dynamodb" && len(s.LeadingKeys) == 0 {
		t.Errorf("%s: got %s on all rows, want a condition on LeadingKeys", name, action)
	}
	if _, bound := s.Context["installation"]; service == "kms" && (!bound || s.Context["purpose"] == "") {
		t.Errorf("%s: got %s in any encryption context, want a condition on it", name, action)
	}
}

// TestTemplateRowKinds checks that every pattern of partition keys in template.yaml
// matches the partition keys of at least one kind of row. A misspelled pattern would
// match no rows.
func TestTemplateRowKinds(t *testing.T) {
	id := store.ConnectionID(store.HashText("owner"), "1", "oauth")
	keys := []string{
		store.AttemptKey(store.Hash{}).PK, store.SessionKey(store.Hash{}).PK, store.HotKey(id).PK, store.ColdKey(id).PK,
		store.UserPartition(store.Hash{}), store.ImportKey(store.Hash{}).PK, store.KeyringKey.PK,
		store.LinkKey(store.Hash{}).PK, store.SessionCodeKey(store.Hash{}).PK, store.ReaderKey(store.Hash{}).PK,
	}
	for name, f := range template.Load(t).Functions {
		for _, s := range f.Allows {
			for _, pattern := range s.LeadingKeys {
				matched := slices.ContainsFunc(keys, func(key string) bool { return template.Like(pattern, key) })
				if !matched || len(pattern) < 3 {
					t.Errorf("%s: no kind of row matches %q", name, pattern)
				}
			}
		}
	}
}

func TestTemplateTable(t *testing.T) {
	resources := template.Load(t).Resources
	var table struct {
		BillingMode                      string
		DeletionProtectionEnabled        string
		KeySchema                        []struct{ AttributeName, KeyType string }
		TimeToLiveSpecification          struct{ AttributeName, Enabled string }
		PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled string }
	}
	if err := json.Unmarshal(resources["Table"].Properties, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.KeySchema) != 2 || table.KeySchema[0].AttributeName != "pk" || table.KeySchema[1].AttributeName != "sk" {
		t.Errorf("got key schema %v, want pk and sk", table.KeySchema)
	}
	item := store.Encode(store.Put(&store.Attempt{End: time.Now()}, store.Absent, "w").Row)
	if _, ok := item[table.TimeToLiveSpecification.AttributeName]; !ok || table.TimeToLiveSpecification.Enabled != "true" {
		t.Errorf("got TTL attribute %q, which rows do not have", table.TimeToLiveSpecification.AttributeName)
	}
	if table.BillingMode != "PAY_PER_REQUEST" || table.DeletionProtectionEnabled != "true" || table.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled != "true" {
		t.Errorf("got table %+v, want on-demand billing, deletion protection and point-in-time recovery", table)
	}
	for _, kept := range []string{"Table", "Key"} {
		if r := resources[kept]; r.DeletionPolicy != "Retain" || r.UpdateReplacePolicy != "Retain" {
			t.Errorf("%s is deleted with the stack, want it retained", kept)
		}
	}
}

// TestTemplateFunctions checks that each directory in functions is a function in
// template.yaml, and that "sam build" can build it.
func TestTemplateFunctions(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	tm := template.Load(t)
	makefile, err := os.ReadFile(filepath.Join("..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range []string{`-trimpath -ldflags "$(ldflags)" -tags lambda.norpc`, "\nldflags = -s -w "} {
		if !strings.Contains(string(makefile), flags) {
			t.Errorf("the Makefile does not contain %q, the flags that tests build with", flags)
		}
	}
	count := 0
	for _, e := range entries {
		if !e.IsDir() || e.Name() == "internal" {
			continue
		}
		count++
		f, ok := tm.Functions[e.Name()]
		if !ok {
			t.Errorf("template.yaml has no function for the directory functions/%s, for example SessionFunction for functions/session", e.Name())
			continue
		}
		target := "build-" + f.LogicalID + ": ; $(call build," + e.Name() + ")\n"
		if !strings.Contains(string(makefile), target) {
			t.Errorf("the Makefile does not have the line %q", target)
		}
		if !strings.Contains(string(makefile), "\nASANAAUTH_GOARCH ?= "+f.Machine+"\n") {
			t.Errorf("%s runs on %q, but the Makefile builds for another architecture", e.Name(), f.Machine)
		}
		// The handler limits a request to 25 s. Lambda's time limit must be longer, and
		// API Gateway's time limit must be longer than Lambda's.
		if f.Timeout != "28" || slices.ContainsFunc(f.Waits, func(ms string) bool { return ms != "30000" }) {
			t.Errorf("%s: got a timeout of %s s, and of %v ms in API Gateway; want 28 s and 30000 ms", e.Name(), f.Timeout, f.Waits)
		}
		if tm.Resources[f.LogicalID].Metadata["BuildMethod"] != "makefile" {
			t.Errorf("%s is not built by the Makefile", f.LogicalID)
		}
	}
	if count != len(tm.Functions) {
		t.Errorf("got %d directories and %d functions in template.yaml, want the same number", count, len(tm.Functions))
	}
}
