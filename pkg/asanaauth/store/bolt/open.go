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
	// ErrInUse means that another process has opened the file.
	ErrInUse = errors.New("store/bolt: the file is in use")
	// ErrDamaged means that the file is incomplete, damaged, or was not written by
	// this package. Open does not change such a file.
	ErrDamaged = errors.New("store/bolt: file is damaged or not a store")
)

const (
	// private is the mode of the file: only its owner can read and write it.
	private fs.FileMode = 0o600
	// lockTime is how long Open waits for another process that is about to exit.
	lockTime = 500 * time.Millisecond
)

var (
	bucket    = []byte("rows")
	about     = []byte("about")
	formatKey = []byte("format")
	// format is the format of the file. Each row also has a format.
	format = []byte("asanaauth rows 1")
)

// Open opens the file, and creates it if it does not exist. Its directory must exist. Open
// returns an error that wraps [ErrInUse], [ErrDamaged] or an error of the file system.
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

// prepare creates the file if it does not exist. Otherwise it checks that the file is
// complete: if bbolt opens a truncated file for writing, it reads memory beyond the end of
// the file and the process crashes.
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

// inspect opens the file read-only. bbolt then reads only the first pages, which contain
// the length that the file must have. inspect checks this length before it reads the
// other pages.
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

// walk reads all pages in use. It returns ErrDamaged if bbolt panics on a damaged page.
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

// create writes a new file under a temporary name and then links it to path. If the
// process is killed, or if a second process creates the same file, path is either complete
// or missing.
func create(path string) error {
	made, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(made.Name())
	if err := made.Close(); err != nil {
		return err
	}
	if err := initialise(made.Name()); err != nil {
		return err
	}
	if err := publish(made.Name(), path); err != nil {
		return err
	}
	return sync(filepath.Dir(path))
}

// publish links a file to its final path, unless that path exists already. If the file
// system does not support hard links, publish renames the file instead. Then two processes
// that start at the same moment may replace each other's file.
func publish(made, path string) error {
	err := os.Link(made, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(made, path)
}

// initialise writes the buckets and the format to an empty file.
func initialise(path string) error {
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

// sync flushes a directory to disk, so that a new file name in it survives a power loss.
func sync(folder string) error {
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

// open opens a bbolt file. It returns ErrInUse if another process has opened the file, the
// error of the operating system if that refuses, and ErrDamaged otherwise.
func open(path string, readOnly bool) (db *bbolt.DB, err error) {
	// If the list of free pages is damaged, bbolt panics and leaves the file open.
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
