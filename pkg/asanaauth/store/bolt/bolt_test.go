package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/bolt"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		s := open(t, file(t))
		bolt.NoSync(s)
		return s
	})
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "rows.db") }

func open(t *testing.T, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func fill(t *testing.T, s *bolt.Store, rows int) {
	t.Helper()
	changes := make([]store.Change, rows)
	for n := range changes {
		id := store.ConnectionID(store.HashOf("owner"), fmt.Sprint(n), "oauth")
		changes[n] = store.Put(&store.UserPointer{User: store.HashOf("user"), Connection: id}, store.Absent, "w")
	}
	if err := s.Write(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
}

func TestReopened(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	fill(t, s, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: got %v, want nil", err)
	}
	if _, err := s.Read(t.Context(), store.KeyringKey); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Read after Close: got %v, want ErrUnavailable", err)
	}
	if err := s.Write(t.Context(), store.Delete(store.KeyringKey, 1)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Write after Close: got %v, want ErrUnavailable", err)
	}
	page, _, err := open(t, path).List(t.Context(), store.UserPartition(store.HashOf("user")), "")
	if len(page) != 3 || err != nil {
		t.Errorf("after reopening: got %d rows, %v, want 3", len(page), err)
	}
}

// A process can be killed at any time after Write returned. To simulate this, the test
// copies the file while the store is still open, and reads the row from the copy.
func TestSurvivesAKill(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	for rev := range int64(20) {
		if err := s.Write(t.Context(), store.Put(&store.Keyring{KMSKey: "key"}, rev, "w")); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		left := file(t)
		if err := os.WriteFile(left, data, 0o600); err != nil {
			t.Fatal(err)
		}
		rows, err := open(t, left).Read(t.Context(), store.KeyringKey)
		row, _ := rows[store.KeyringKey].(*store.Keyring)
		if row == nil || row.Rev != rev+1 {
			t.Fatalf("after write %d: got %v, %v, want a row with that rev", rev+1, row, err)
		}
	}
}

func TestInUse(t *testing.T) {
	t.Parallel()
	path := file(t)
	s := open(t, path)
	if _, err := bolt.Open(path); !errors.Is(err, bolt.ErrInUse) {
		t.Fatalf("got %v, want ErrInUse", err)
	}
	fill(t, s, 1)
}

func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	path := file(t)
	open(t, path).Close()
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if got := mode(); got != 0o600 {
		t.Errorf("new file: got mode %v, want 0600", got)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if got := mode(); got != 0o600 {
		t.Errorf("existing file: got mode %v, want 0600", got)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("got directory entries %v, want only the file", entries)
	}
}

func TestNoFolder(t *testing.T) {
	t.Parallel()
	_, err := bolt.Open(filepath.Join(t.TempDir(), "none", "rows.db"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want os.ErrNotExist", err)
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("opens dozens of files")
	}
	whole := file(t)
	s := open(t, whole)
	fill(t, s, 400)
	s.Close()
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"empty": {}, "text": []byte("not a database\n"), "zeros": make([]byte, 64<<10),
		"zeros after two pages": append(bytes.Clone(data[:8<<10]), make([]byte, len(data)-8<<10)...),
	}
	for size := 1; size < databaseSize(t, whole); size += 1500 {
		files[fmt.Sprint("truncated to ", size)] = data[:size]
	}
	for name, content := range files {
		path := file(t)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := bolt.Open(path); !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
		if left, _ := os.ReadFile(path); !bytes.Equal(left, content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := bolt.Open(t.TempDir()); !errors.Is(err, bolt.ErrDamaged) {
		t.Errorf("a folder: got %v, want ErrDamaged", err)
	}
}

// TestDamagedPages overwrites one page of the file at a time with zeros. If the page was
// in use, Open must return ErrDamaged. If the page was free, all rows must still be
// readable. The test skips the first two pages, which are bbolt's meta pages. If one meta
// page is damaged, bbolt uses the other and ignores the last write.
func TestDamagedPages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("opens dozens of files")
	}
	whole := file(t)
	s := open(t, whole)
	fill(t, s, 400)
	s.Close()
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	page, damaged := os.Getpagesize(), 0
	for at := 2 * page; at < databaseSize(t, whole); at += page {
		path := file(t)
		blank := append(append(bytes.Clone(data[:at]), make([]byte, page)...), data[at+page:]...)
		if err := os.WriteFile(path, blank, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := bolt.Open(path)
		if err == nil {
			rows := 0
			for next, more := "", true; more; more = next != "" {
				var some []store.Row
				some, next, err = s.Scan(t.Context(), next)
				rows += len(some)
			}
			if rows != 400 || err != nil {
				t.Errorf("without page %d: got %d rows, %v, want 400", at/page, rows, err)
			}
			s.Close()
			continue
		}
		damaged++
		if !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("without page %d: got %v, want ErrDamaged", at/page, err)
		}
	}
	if damaged < 5 {
		t.Errorf("got ErrDamaged for %d of %d pages, want at least 5", damaged, databaseSize(t, whole)/page)
	}
}

// databaseSize returns the size of the database that the file contains. The file itself
// can be longer.
func databaseSize(t *testing.T, path string) int {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	size := 0
	db.View(func(tx *bbolt.Tx) error { size = int(tx.Size()); return nil })
	return size
}

func TestAnotherProgramsFile(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(*bbolt.Tx) error{
		"no bucket":        func(*bbolt.Tx) error { return nil },
		"a foreign bucket": func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("rows")); return err },
		"a newer format": func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("about"))
			return errors.Join(err, b.Put([]byte("format"), []byte("asanaauth rows 2")))
		},
	} {
		path := file(t)
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(fill), db.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := bolt.Open(path); !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("%s: got %v, want ErrDamaged", name, err)
		}
	}
}

func TestUnknownRowIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"2", "1.5", "one"} {
		t.Run("format "+format, func(t *testing.T) {
			path := file(t)
			open(t, path).Close()
			key, row := []byte("k#keyring\x00keyring"), []byte(`{"format":{"N":"`+format+`"},"pk":{"S":"k#keyring"},"rev":{"N":"1"},"sk":{"S":"keyring"}}`)
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("rows")).Put(key, row) })
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			s := open(t, path)
			_, readErr := s.Read(t.Context(), store.KeyringKey)
			_, _, listErr := s.List(t.Context(), store.KeyringKey.PK, "")
			for i, err := range []error{
				readErr, listErr,
				s.Write(t.Context(), store.Put(&store.Keyring{}, store.Absent, "w")),
				s.Write(t.Context(), store.Put(&store.Keyring{}, 1, "w")),
				s.Write(t.Context(), store.Delete(store.KeyringKey, 1)),
			} {
				if !errors.Is(err, store.ErrFormat) || errors.Is(err, store.ErrUnavailable) {
					t.Errorf("call %d: got %v, want ErrFormat alone", i, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if db, err = bbolt.Open(path, 0o600, nil); err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.View(func(tx *bbolt.Tx) error {
				if got := tx.Bucket([]byte("rows")).Get(key); !bytes.Equal(got, row) {
					t.Errorf("the row is now %s", got)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestWaitingForAWriterEndsWithTheContext(t *testing.T) {
	t.Parallel()
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path)
		release := bolt.Hold(s)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- s.Write(ctx, store.Put(&store.Keyring{}, store.Absent, "w")) }()
		synctest.Wait()
		if len(result) != 0 {
			t.Fatalf("Write returned while another writer ran: %v", <-result)
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		release()
		fill(t, s, 1)
	})
}
