package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const othersBits = 0o077

// Open reads the key in the file at path: 32 bytes, which nobody but the
// file's owner may read. Where there is no file it makes one with a fresh key,
// 0600; its folder has to be there. Of several that make it at once all get
// the same key. An error names the file and what is wrong with it.
func Open(path string) (*Key, error) {
	key, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("making the local key: %w", err)
		}
		key, err = read(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the local key: %w", err)
	}
	return New(key), nil
}

func read(path string) (key [keyBytes]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return key, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return key, err
	}
	if err := check(path, info); err != nil {
		return key, err
	}
	_, err = io.ReadFull(f, key[:])
	return key, err
}

func check(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	// Windows has no such bits, and reports them as if everybody had all.
	if mode := info.Mode().Perm(); mode&othersBits != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s has mode %04o: others may use it; set it to 0600", path, mode)
	}
	if info.Size() != keyBytes {
		return fmt.Errorf("%s has %d bytes, want %d: it is no local key", path, info.Size(), keyBytes)
	}
	return nil
}

// create puts a fresh key at path, whole or not at all, unless there is a file
// already: a link to a finished file never replaces one, as a rename would.
func create(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := fill(f); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	settle(filepath.Dir(path))
	return nil
}

// fill writes and syncs before the key has a name, and settle syncs the name: a
// keyring wrapped by a key that a power cut took is lost.
func fill(f *os.File) error {
	var key [keyBytes]byte
	rand.Read(key[:])
	_, err := f.Write(key[:])
	return errors.Join(err, f.Sync(), f.Close())
}

// settle does what it can: some systems sync no folders.
func settle(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
