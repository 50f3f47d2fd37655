package store_test

import (
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func TestConnectionID(t *testing.T) {
	owner := store.HashOf("customer 1")
	id := store.ConnectionID(owner, "1200000000000001", "oauth")
	// For the same arguments, every release must return the same ID, because tables,
	// cookies and backends' databases contain connection IDs.
	if want := "con_4ltda6sdiwqdut4zmfewmc2li7ayhxik"; id != want {
		t.Errorf("got connection ID %s, want %s", id, want)
	}
	different := map[string]bool{id: true}
	for _, other := range []string{
		store.ConnectionID(owner, "1200000000000001", "personal_access_token"),
		store.ConnectionID(owner, "1200000000000001", "service_account"),
		store.ConnectionID(owner, "1200000000000002", "oauth"),
		store.ConnectionID(store.HashOf("customer 2"), "1200000000000001", "oauth"),
	} {
		if different[other] || !store.ValidConnectionID(other) {
			t.Errorf("connection ID %s is a duplicate or not valid", other)
		}
		different[other] = true
	}
	if len(id) != len("con_")+32 {
		t.Errorf("%s has %d characters, want 36", id, len(id))
	}
}

func TestOwnersPartition(t *testing.T) {
	hot := func(owner, gid string) store.Key {
		return store.HotKey(store.ConnectionID(store.HashOf(owner), gid, "oauth"))
	}
	if a, b := hot("a", "1"), hot("a", "2"); a.PK != b.PK || a.SK == b.SK {
		t.Errorf("two connections of an owner: got keys %v and %v, want the same PK and different SKs", a, b)
	}
	if a, b := hot("a", "1"), hot("b", "1"); a.PK == b.PK {
		t.Errorf("connections of two owners: got keys %v and %v, want different PKs", a, b)
	}
}

func TestValidConnectionID(t *testing.T) {
	valid := "con_abcdefghijklmnopqrstuvwxyz234567"
	for id, want := range map[string]bool{
		valid:                         true,
		"":                            false,
		"con_":                        false,
		valid[:35]:                    false,
		valid + "a":                   false,
		"CON_" + valid[4:]:            false,
		valid[:35] + "1":              false,
		valid[:35] + "A":              false,
		valid[:20] + "#" + valid[21:]: false,
		valid[:35] + "\n":             false,
		valid[4:]:                     false,
	} {
		if got := store.ValidConnectionID(id); got != want {
			t.Errorf("%q: got %t, want %t", id, got, want)
		}
		if key := store.HotKey(id); (key != store.Key{}) != want {
			t.Errorf("%q: got key %v", id, key)
		}
		if key := store.ColdKey(id); (key != store.Key{}) != want {
			t.Errorf("%q: got key %v", id, key)
		}
	}
}

// TestPrefixes checks the prefixes of partition keys, because IAM policies contain these
// prefixes.
func TestPrefixes(t *testing.T) {
	prefixes := map[string]string{
		"attempt-1": "a#", "link-1": "l#", "session-1": "s#", "session-code-1": "x#", "hot-1": "c#", "cold-1": "c#",
		"user-pointer-1": "u#", "reader-1": "w#", "import-pointer-1": "i#", "keyring-1": "k#",
	}
	for name := range samples() {
		prefix, ok := prefixes[name]
		if !ok {
			t.Errorf("no prefix is expected for %s: add one to this test", name)
		}
		if key := samples()[name].Key(); !strings.HasPrefix(key.PK, prefix) || key.SK == "" {
			t.Errorf("%s has key %v, want prefix %s", name, key, prefix)
		}
	}
}

func TestHashOf(t *testing.T) {
	if store.HashOf("ab", "c") == store.HashOf("a", "bc") || store.HashOf("a") == store.HashOf("a", "") {
		t.Error("different lists of parts have the same hash")
	}
	// The hashed data is the length of "a" (the number 1 in eight bytes), followed by
	// "a".
	if got, want := store.HashOf("a").String(), "3b196fd4907bedf51c3090e9835f2f7cb61e7ee1b2299ea3b8fed9b4183a822a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// HashText must return the plain SHA-256 hash, because clients compute this hash
	// themselves. The expected value is the first test vector in FIPS 180.
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := store.HashText("abc").String(); got != abc {
		t.Errorf("got %s, want %s", got, abc)
	}
	if (store.Hash{}).IsZero() != true || store.HashOf().IsZero() {
		t.Error("IsZero: want true for the zero hash and false for a hash of nothing")
	}
}

func TestParseHash(t *testing.T) {
	h := store.HashText("x")
	if got, err := store.ParseHash(h.String()); err != nil || got != h {
		t.Errorf("ParseHash() = %v, %v, want the hash", got, err)
	}
	for _, bad := range []string{"", h.String()[2:], h.String() + "00", strings.ToUpper(h.String()), strings.Repeat("z", 64), h.String()[:63]} {
		if _, err := store.ParseHash(bad); err == nil {
			t.Errorf("ParseHash(%q) returned no error", bad)
		}
	}
}

func TestOwnerPartition(t *testing.T) {
	owner := store.HashText("owner")
	id := store.ConnectionID(owner, "1200000000000001", "oauth")
	if got := store.OwnerPartition(owner); got != store.HotKey(id).PK || got != store.ColdKey(id).PK {
		t.Errorf("OwnerPartition() = %q", got)
	}
	if store.OwnerPartition(store.HashText("another")) == store.OwnerPartition(owner) {
		t.Error("two owners have the same partition")
	}
}
