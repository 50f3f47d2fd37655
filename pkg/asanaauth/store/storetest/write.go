package storetest

import (
	"errors"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// tokens returns a version of the hot row. Versions differ in the field Grant.
func tokens(grant int64) *store.Hot {
	row := hot(connection("owner", 1), 150)
	row.Grant = grant
	return row
}

func putAbsent(t *testing.T, s store.Store) {
	first := tokens(1)
	write(t, s, store.Put(first, store.Absent, "first"))
	if first.Rev != 1 {
		t.Errorf("got rev %d, want 1", first.Rev)
	}
	checkConflict(t, s, []store.Change{store.Put(tokens(2), store.Absent, "second")}, first)
	checkRead(t, s, []store.Key{first.Key()}, first)
}

func putReplaces(t *testing.T, s store.Store) {
	first, second := tokens(1), tokens(2)
	write(t, s, store.Put(first, store.Absent, "first"))
	write(t, s, store.Put(second, first.Rev, "second"))
	checkConflict(t, s, []store.Change{store.Put(tokens(3), first.Rev, "third")}, second)
	checkConflict(t, s, []store.Change{store.Put(tokens(3), second.Rev+1, "third")}, second)
	checkRead(t, s, []store.Key{second.Key()}, second)
}

func putGone(t *testing.T, s store.Store) {
	row := tokens(1)
	checkConflict(t, s, []store.Change{store.Put(row, 7, "w")})
	checkRead(t, s, []store.Key{row.Key()})
}

func deletes(t *testing.T, s store.Store) {
	first, second := tokens(1), tokens(2)
	key := first.Key()
	write(t, s, store.Delete(key, 1))
	write(t, s, store.Put(first, store.Absent, "first"))
	write(t, s, store.Put(second, first.Rev, "second"))
	checkConflict(t, s, []store.Change{store.Delete(key, first.Rev)}, second)
	checkConflict(t, s, []store.Change{store.Delete(key, store.Absent)}, second)
	checkRead(t, s, []store.Key{key}, second)
	write(t, s, store.Delete(key, second.Rev))
	checkRead(t, s, []store.Key{key})
	write(t, s, store.Delete(key, second.Rev))
	write(t, s, store.Put(tokens(3), store.Absent, "third"))
}

func allOrNone(t *testing.T, s store.Store) {
	h, c, p := tokens(1), cold(connection("owner", 1), 20), pointer(1)
	keys := []store.Key{h.Key(), c.Key(), p.Key(), keyring().Key()}
	write(t, s, store.Put(h, store.Absent, "first"), store.Put(c, store.Absent, "first"), store.Put(p, store.Absent, "first"))
	checkRead(t, s, keys, h, c, p)

	checkConflict(t, s, []store.Change{
		store.Put(keyring(), store.Absent, "second"),
		store.Delete(p.Key(), p.Rev),
		store.Put(tokens(2), h.Rev+1, "second"),
		store.Put(cold(c.Connection, 10), store.Absent, "second"),
	}, h, c)
	checkConflict(t, s, []store.Change{
		store.Put(tokens(2), h.Rev, "third"),
		store.Put(keyring(), 5, "third"), // the row is missing
	})
	checkConflict(t, s, []store.Change{
		store.Put(tokens(2), h.Rev, "fourth"),
		store.Delete(c.Key(), c.Rev+1),
		store.Delete(store.KeyringKey, 5), // the row is missing, so this succeeds
	}, c)
	checkRead(t, s, keys, h, c, p)

	next := tokens(2)
	write(t, s, store.Put(next, h.Rev, "fifth"), store.Delete(c.Key(), c.Rev), store.Delete(p.Key(), p.Rev))
	checkRead(t, s, keys, next)
	write(t, s)
}

// manyChanges makes 100 changes in one write. DynamoDB allows at most 100 changes in a
// transaction. Package membership needs large writes. For example, if a service account
// becomes the reader of 40 workspaces, package membership changes 40 reader rows, the
// cold rows of up to 40 former readers, and the service account's own cold row.
func manyChanges(t *testing.T, s store.Store) {
	var puts, exchange []store.Change
	var keys []store.Key
	var before, after []store.Row
	for n := range 50 {
		old, new := reader(n), reader(50+n)
		puts = append(puts, store.Put(old, store.Absent, "first"))
		exchange = append(exchange, store.Delete(old.Key(), 1), store.Put(new, store.Absent, "second"))
		keys = append(keys, old.Key(), new.Key())
		before, after = append(before, old), append(after, new)
	}
	write(t, s, puts...)
	stray := reader(99)
	write(t, s, store.Put(stray, store.Absent, "stray"))
	checkConflict(t, s, exchange, stray)
	checkRead(t, s, keys, append(before, stray)...)
	write(t, s, store.Delete(stray.Key(), 1))
	write(t, s, exchange...)
	checkRead(t, s, keys, after...)
}

func sameWrite(t *testing.T, s store.Store) {
	first, second := tokens(1), tokens(2)
	write(t, s, store.Put(first, store.Absent, "first"))
	write(t, s, store.Put(first, store.Absent, "first"))
	checkRead(t, s, []store.Key{first.Key()}, first)

	write(t, s, store.Put(second, first.Rev, "second"))
	write(t, s, store.Put(second, first.Rev, "second"))
	checkRead(t, s, []store.Key{first.Key()}, second)

	// A different writer has replaced the row, so the store cannot recognize the repeated
	// write.
	checkConflict(t, s, []store.Change{store.Put(tokens(1), store.Absent, "first")}, second)
	// The store must not treat a write as repeated if it has the writer ID of the stored
	// row but a different revision.
	checkConflict(t, s, []store.Change{store.Put(tokens(3), second.Rev+1, "second")}, second)
	// Without a writer ID, the store cannot recognize a repeated write.
	anonymous := keyring()
	write(t, s, store.Put(anonymous, store.Absent, ""))
	checkConflict(t, s, []store.Change{store.Put(keyring(), store.Absent, "")}, anonymous)
}

// transaction returns three changes, and the hot and cold rows that the changes store.
// The changes are always the same for the same writer.
func transaction(writer string) (*store.Hot, *store.Cold, []store.Change) {
	h, c := tokens(1), cold(connection("owner", 1), 20)
	return h, c, []store.Change{
		store.Put(h, store.Absent, writer), store.Delete(pointer(1).Key(), 1), store.Put(c, store.Absent, writer),
	}
}

func sameTransaction(t *testing.T, s store.Store) {
	write(t, s, store.Put(pointer(1), store.Absent, "zero"))
	h, c, changes := transaction("first")
	write(t, s, changes...)
	_, _, again := transaction("first")
	write(t, s, again...)
	checkRead(t, s, []store.Key{h.Key(), c.Key(), pointer(1).Key()}, h, c)
	_, _, other := transaction("second")
	checkConflict(t, s, other, h, c)
}

func sameTransactionPartly(t *testing.T, s store.Store) {
	h, c, changes := transaction("first")
	write(t, s, changes...)
	newer := tokens(2)
	write(t, s, store.Put(newer, h.Rev, "another writer"))
	_, _, again := transaction("first")
	write(t, s, again...)
	checkRead(t, s, []store.Key{h.Key(), c.Key()}, newer, c)
}

// sameTransactionOverwritten repeats a transaction after all of its rows have been
// replaced. The store cannot recognize the repeated write and must return a Conflict.
func sameTransactionOverwritten(t *testing.T, s store.Store) {
	h, c, changes := transaction("first")
	write(t, s, changes...)
	newer, newerCold := tokens(2), cold(c.Connection, 30)
	write(t, s, store.Put(newer, h.Rev, "second"), store.Put(newerCold, c.Rev, "second"))
	_, _, again := transaction("first")
	checkConflict(t, s, again, newer, newerCold)
	checkRead(t, s, []store.Key{h.Key(), c.Key()}, newer, newerCold)
}

// sameDeletes stores rows and deletes them in one transaction, and then does both again.
// The second transaction must delete the rows too: the transaction contains no writer ID,
// so the store cannot know whether it was applied before.
func sameDeletes(t *testing.T, s store.Store) {
	h, c := tokens(1), cold(connection("owner", 1), 20)
	for range 2 {
		write(t, s, store.Put(h, store.Absent, "a"))
		write(t, s, store.Put(c, store.Absent, "b"))
		write(t, s, store.Delete(h.Key(), h.Rev), store.Delete(c.Key(), c.Rev))
		checkRead(t, s, []store.Key{h.Key(), c.Key()})
	}
}

func invalid(t *testing.T, s store.Store) {
	row := tokens(1)
	malformed := tokens(1)
	malformed.Connection = "con_malformed"
	elsewhere := store.Put(tokens(1), store.Absent, "w")
	elsewhere.Key = store.HotKey(connection("another owner", 1))
	revless := store.Change{Key: row.Key(), Row: row}
	for name, changes := range map[string][]store.Change{
		"a malformed connection id":              {store.Put(malformed, store.Absent, "w")},
		"another row's key":                      {elsewhere},
		"a row whose rev Put did not set":        {revless},
		"two changes of a row":                   {store.Put(tokens(1), store.Absent, "w"), store.Delete(row.Key(), 1)},
		"a malformed change next to a valid one": {store.Put(keyring(), store.Absent, "w"), store.Put(malformed, store.Absent, "w")},
	} {
		if err := s.Write(t.Context(), changes...); !errors.Is(err, store.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	checkRead(t, s, []store.Key{row.Key(), elsewhere.Key, store.KeyringKey})
}
