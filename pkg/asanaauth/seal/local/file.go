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

// othersBits are the permission bits for everyone except the owner.
const othersBits = 0o077

// ErrNotKey means that the file that [Open] found is not a regular file of 32 bytes.
var ErrNotKey = errors.New("not a local key")

// Open returns the key in the file at path. The file must be a regular file of 32 bytes
// that only its owner may read or write. If the file does not exist, Open creates it with
// a random key and mode 0600. The folder must exist. If several processes create the file
// at the same time, all of them get the same key. If Open fails, the error says what is
// wrong with the file, and contains the path. The error wraps [ErrNotKey] if the file is
// not a regular file of 32 bytes.
func Open(path string) (*Key, error) {
	key, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("creating the local key: %w", err)
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
		return fmt.Errorf("%s is not a regular file: %w", path, ErrNotKey)
	}
	// Windows does not have these permission bits. On Windows, Go always reports them as
	// set.
	if mode := info.Mode().Perm(); mode&othersBits != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s has mode %04o, so others may access it; set it to 0600", path, mode)
	}
	if info.Size() != keyBytes {
		return fmt.Errorf("%s has %d bytes, want %d: %w", path, info.Size(), keyBytes, ErrNotKey)
	}
	return nil
}

// create creates the file at path with a random key. If the file exists, create does not
// change it. create writes the key to a temporary file and then creates a hard link to
// that file at path. Therefore the file at path is always complete. Unlike a rename, a
// hard link never replaces an existing file.
func create(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := writeKey(f); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// writeKey writes a random key to f, syncs f and closes it. Syncing protects the key from
// a power failure. Without the key, the keyring cannot be unwrapped.
func writeKey(f *os.File) error {
	var key [keyBytes]byte
	rand.Read(key[:])
	_, err := f.Write(key[:])
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFolder syncs a folder, so that a new file in it survives a power failure.
// syncFolder ignores errors, because some systems cannot sync folders.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}
