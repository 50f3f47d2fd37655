package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrInUse means that the file is already open, usually in a different process.
	ErrInUse = errors.New("store/bolt: the file is in use")
	// ErrDamaged means that the file is incomplete or damaged, or that this package did
	// not write it. Open does not change such a file.
	ErrDamaged = errors.New("store/bolt: file is damaged or not a store")
)

const (
	// private is the mode of the file: only the operating system user who owns the file
	// can read and write it.
	private fs.FileMode = 0o600
	// lockTime is how long Open waits for the lock on the file. Open waits because the
	// process that holds the lock may be about to exit.
	lockTime = 500 * time.Millisecond
)

var (
	bucket    = []byte("rows")
	about     = []byte("about")
	formatKey = []byte("format")
	// format identifies the format of the file. Each row also contains its own format.
	format = []byte("asanaauth rows 1")
)

// Open opens the file. If the file does not exist, Open creates it, but the directory
// must exist. An error wraps [ErrInUse], [ErrDamaged] or an error from the file system.
func Open(path string) (*Store, error) {
	if err := prepare(path); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	db, err := open(path, false)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return &Store{db: db, writing: make(chan struct{}, 1)}, nil
}

// prepare creates the file if it does not exist. Otherwise, prepare checks that the file
// is complete. The check is necessary because bbolt can crash the process if it opens a
// truncated file for writing.
func prepare(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return ErrDamaged
	}
	if info.Mode().Perm()&^private != 0 {
		if err := os.Chmod(path, private); err != nil {
			return err
		}
	}
	return inspect(path)
}

// inspect opens the file read-only, because bbolt then reads only the first pages. The
// first pages contain the size of the database. If the file is at least as long as this
// size, inspect reads the other pages.
func inspect(path string) error {
	db, err := open(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: %d bytes of %d", ErrDamaged, info.Size(), tx.Size())
		}
		return walk(tx)
	})
}

// walk reads all pages in use. If bbolt panics on a damaged page, walk returns
// ErrDamaged.
func walk(tx *bbolt.Tx) (err error) {
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, found)
		}
	}()
	if b := tx.Bucket(about); b == nil || !bytes.Equal(b.Get(formatKey), format) || tx.Bucket(bucket) == nil {
		return ErrDamaged
	}
	return tx.Bucket(bucket).ForEach(func(_, _ []byte) error { return nil })
}

// create writes a new file under a temporary name and then links it to path. The file at
// path is therefore always complete, even if the process is killed, or if a second
// process creates the same file.
func create(path string) error {
	made, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(made.Name())
	if err := made.Close(); err != nil {
		return err
	}
	if err := initialize(made.Name()); err != nil {
		return err
	}
	if err := publish(made.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// publish links the new file to path. If path already exists, publish does nothing. If
// the file system does not support hard links, publish renames the file instead. In this
// case, if two processes start at the same moment, one of them may replace the other's
// file.
func publish(newFile, path string) error {
	err := os.Link(newFile, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(newFile, path)
}

func initialize(path string) error {
	db, err := open(path, false)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket(bucket); err != nil {
			return err
		}
		b, err := tx.CreateBucket(about)
		if err != nil {
			return err
		}
		return b.Put(formatKey, format)
	})
	return errors.Join(err, db.Close())
}

// syncDir flushes a directory to disk, so that a new file in the directory survives a
// power loss.
func syncDir(folder string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync directories
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// If the file is already open, open returns ErrInUse. If the operating system returns an
// error, open returns that error. Any other error wraps ErrDamaged.
func open(path string, readOnly bool) (db *bbolt.DB, err error) {
	// If the list of free pages is damaged, bbolt panics and does not close the file.
	var file *os.File
	defer func() {
		if found := recover(); found != nil {
			db, err = nil, errors.Join(fmt.Errorf("%w: %v", ErrDamaged, found), file.Close())
		}
	}()
	db, err = bbolt.Open(path, private, &bbolt.Options{
		Timeout: lockTime, ReadOnly: readOnly, NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	})
	if err == nil {
		return db, nil
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
}
