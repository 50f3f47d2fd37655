package store_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// newRows makes TestGoldenRows write golden files that do not exist yet. The test never
// overwrites a golden file, because deployed tables contain rows that are encoded like
// the golden files.
var newRows = flag.Bool("new-rows", false, "write missing golden rows")

// samples returns a row of each kind with every field set. The keys of the map are the
// names of the golden files, such as "hot-1".
func samples() map[string]store.Row {
	id := store.ConnectionID(store.HashOf("owner"), "1200000000000001", "oauth")
	at := func(minutes int) time.Time {
		return time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC).Add(time.Duration(minutes) * time.Minute)
	}
	head := store.Head{Rev: 7, Writer: "a random name"}
	return map[string]store.Row{
		"attempt-1": &store.Attempt{
			Head: head, State: store.HashOf("state"), Browser: store.HashOf("browser"), Salt: []byte("sixteen bytes..."),
			ReturnURL: "https://app.example/back?a=1&b=2", AppState: "app-state_1", Scopes: "tasks:read users:read",
			RedirectURI: "https://auth.example/callback", Link: store.HashOf("link"), Session: store.HashOf("session"), End: at(10),
			Taker: "fedcba9876543210", Outcome: "connected", Connection: id,
		},
		"link-1": &store.Link{
			Head: head, Token: store.HashOf("token"), Owner: store.HashOf("owner"), Person: store.HashOf("person"),
			ReturnURL: "https://app.example/back", Scopes: "tasks:read users:read", AsanaGID: "1200000000000001",
			End: at(30), Spent: true, Code: store.HashOf("code"), CodeEnd: at(20), Held: sealed(300), Keep: at(50),
		},
		"session-code-1": &store.SessionCode{
			Head: head, Code: store.HashOf("code"), Session: store.HashOf("cookie"), Connection: id, Epoch: "0123456789abcdef",
			End: at(1), Proof: sealed(65), Spent: true,
		},
		"reader-1": &store.Reader{Head: head, Workspace: store.HashOf("1100000000000001"), Connection: id},
		"session-1": &store.Session{
			Head: head, Cookie: store.HashOf("cookie"), Connection: id, Epoch: "0123456789abcdef",
			Start: at(0), End: at(43200), IdleTTL: 168 * time.Hour, IdleEnd: at(10080), Proof: sealed(65),
		},
		"hot-1": &store.Hot{
			Head: head, Connection: id, Kind: "oauth", AsanaGID: "1200000000000001", Owner: store.HashOf("owner"),
			ClientID: "1300000000000001", Epoch: "0123456789abcdef", Generation: 2, Grant: 3,
			Status: "broken", Reason: "invalid-grant",
			Lease: "a lease", LeaseEnd: at(1), DoubtedGrant: 2, Rotates: true, CoolUntil: at(2),
			Access: sealed(153), Refresh: sealed(101), Issued: at(3), Expires: at(63),
			LastRefreshed: at(4), BrokenAt: at(6),
			RefusedGrant: 3, RefusedAt: at(8), CheckedAt: at(9), CheckedGrant: 3, End: at(9),
		},
		"cold-1": &store.Cold{
			Head: head, Connection: id, Generation: 2, ScopeRequested: "tasks:read users:read", ScopeGranted: "tasks:read",
			ReaderOf: "1100000000000001 1100000000000002", Imported: store.HashOf("credential"), Created: at(0), Updated: at(1),
			OwnerName: sealed(40), Name: sealed(41), Email: sealed(42), Picture: sealed(43),
		},
		"user-pointer-1": &store.UserPointer{
			Head: head, User: store.HashOf("1200000000000001"), Connection: id, Kind: "personal_access_token",
		},
		"import-pointer-1": &store.ImportPointer{Head: head, Credential: store.HashOf("credential"), Connection: id},
		"keyring-1":        &store.Keyring{Head: head, Wrapped: sealed(200), KMSKey: "arn:aws:kms:eu-central-1:000000000000:key/1"},
	}
}

// olderRows returns the rows that this release must decode from the golden files of older
// releases. Decode sets a field to zero if the older release did not have the field, and
// ignores an attribute that this release does not use.
func olderRows() map[string]store.Row {
	attempt, cold := *samples()["attempt-1"].(*store.Attempt), *samples()["cold-1"].(*store.Cold)
	attempt.Session = store.Hash{}
	attempt.Link, attempt.Taker, attempt.Outcome, attempt.Connection = store.Hash{}, "", "", ""
	cold.ReaderOf, cold.Imported = "", store.Hash{}
	hot := *samples()["hot-1"].(*store.Hot)
	hot.CheckedAt, hot.CheckedGrant = time.Time{}, 0
	hot.DoubtedGrant, hot.Rotates = 0, false
	return map[string]store.Row{
		"attempt-1-before-links":        &attempt,
		"cold-1-before-imports":         &cold,
		"hot-1-before-fewer-attributes": &hot,
	}
}

func sealed(size int) secret.Sealed { return bytes.Repeat([]byte{0x01, 0xff, 0x00}, size)[:size] }

func TestGoldenRows(t *testing.T) {
	want := samples()
	maps.Copy(want, olderRows())
	for name, row := range want {
		path := filepath.Join("testdata", "rows", name+".json")
		if _, err := os.Stat(path); os.IsNotExist(err) && *newRows {
			if err := os.WriteFile(path, indented(t, row), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v (go test -new-rows writes it)", err)
			continue
		}
		got, err := store.DecodeJSON(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(row, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if _, old := olderRows()[name]; old {
			continue
		}
		if again := indented(t, got); !bytes.Equal(again, data) {
			t.Errorf("%s: the encoded row differs from the file:\n%s", name, again)
		}
	}
	files, _ := filepath.Glob("testdata/rows/*.json")
	for _, file := range files {
		if _, ok := want[strings.TrimSuffix(filepath.Base(file), ".json")]; !ok {
			t.Errorf("no test reads %s", file)
		}
	}
}

func indented(t *testing.T, row store.Row) []byte {
	t.Helper()
	data, err := store.EncodeJSON(row)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// TestEveryFieldIsKept encodes and decodes rows. The test fails if the codec omits a
// field, or uses the same attribute name for two fields.
func TestEveryFieldIsKept(t *testing.T) {
	for name, row := range samples() {
		v := reflect.ValueOf(row).Elem()
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s: the sample does not set %s", name, v.Type().Field(i).Name)
			}
			setField(t, v.Field(i), i)
		}
		setConnection(row)
		got, err := store.Decode(store.Encode(row))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(row, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func setField(t *testing.T, field reflect.Value, i int) {
	t.Helper()
	n := int64(i) + 1
	switch field.Interface().(type) {
	case store.Head:
		field.Set(reflect.ValueOf(store.Head{Rev: 1000, Writer: "writer"}))
	case store.Hash:
		field.Set(reflect.ValueOf(store.HashOf(strconv.Itoa(i))))
	case time.Time:
		field.Set(reflect.ValueOf(time.UnixMilli(n * 1001).UTC()))
	case time.Duration, int64:
		field.SetInt(n * int64(time.Millisecond))
	case bool:
		field.SetBool(true)
	case []byte, secret.Sealed:
		field.SetBytes([]byte{byte(n)})
	default:
		if field.Kind() != reflect.String {
			t.Fatalf("setField does not support the type %s", field.Type())
		}
		field.SetString("text " + strconv.Itoa(i))
	}
}

// setConnection sets a valid connection ID, because the row's key depends on the ID.
func setConnection(row store.Row) {
	id := store.ConnectionID(store.HashOf("another owner"), "1", "oauth")
	switch r := row.(type) {
	case *store.Hot:
		r.Connection = id
	case *store.Cold:
		r.Connection = id
	}
}

func TestEncodingLeavesTheRowAlone(t *testing.T) {
	row := &store.Session{Cookie: store.HashOf("cookie"), IdleTTL: time.Hour + time.Nanosecond}
	before := *row
	store.Encode(row)
	if diff := cmp.Diff(&before, row); diff != "" {
		t.Errorf("encoding changed the row (-before +after):\n%s", diff)
	}
}

// TestHotRowIsSmall checks that a hot row is smaller than 1 KB, so that a write costs one
// write unit. An item's size is the total length of its attribute names and values
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
func TestHotRowIsSmall(t *testing.T) {
	const overhead = 1 + 4 + 12 + 16 // bytes of version, key ID, nonce and tag in a sealed field
	row := samples()["hot-1"].(*store.Hot)
	row.Writer, row.Lease = strings.Repeat("w", 26), strings.Repeat("l", 26)
	row.Reason = "lost-rotated-token"
	row.Status = "disconnected"
	for _, access := range []int{68, 120} {
		row.Access, row.Refresh = sealed(access+overhead), sealed(68+overhead)
		if size := sizeOf(store.Encode(row)); size >= 1024 {
			t.Errorf("with an access token of %d bytes: got a row of %d bytes, want less than 1024", access, size)
		} else {
			t.Logf("with an access token of %d bytes: %d bytes", access, size)
		}
	}
	row.Access, row.Refresh = sealed(4096+overhead), sealed(4096+overhead)
	got, err := store.Decode(store.Encode(row))
	if diff := cmp.Diff(store.Row(row), got); diff != "" || err != nil {
		t.Errorf("with tokens of 4 KB: %v, row (-want +got):\n%s", err, diff)
	}
}

func sizeOf(item store.Item) int {
	size := 0
	for name, value := range item {
		size += len(name)
		switch v := value.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		case bool:
			size++
		case int64:
			size += len(strconv.FormatInt(v, 10))/2 + 2 // at most
		}
	}
	return size
}
