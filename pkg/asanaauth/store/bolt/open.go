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
	// ErrInUse says that another process has the file open.
	ErrInUse = errors.New("store/bolt: the file is in use")
	// ErrDamaged says that the file is none of this package's, or not all of
	// it. It is left as it is.
	ErrDamaged = errors.New("store/bolt: no store's file, or not all of it")
)

const (
	// private is the mode of the file: its owner's alone.
	private fs.FileMode = 0o600
	// lockTime is how long a process that is just ending may keep the file.
	lockTime = 500 * time.Millisecond
)

var (
	bucket    = []byte("rows")
	about     = []byte("about")
	formatKey = []byte("format")
	// format is that of the file; each row has one of its own.
	format = []byte("asanaauth rows 1")
)

// Open opens the file, and makes it where there is none, in a folder that is
// there. It fails with [ErrInUse] or [ErrDamaged], or with an error of the file
// system.
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

// prepare makes the file where there is none, and else looks whether it is
// whole: opening half a file for writing ends the process, by a fault in memory
// that bbolt has mapped.
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

// inspect opens the file for reading alone, when bbolt looks at its first
// pages and no others, to learn how long it has to be. Only then are the others
// looked at.
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

// walk goes once through all pages in use. bbolt panics where one is not what
// it should be.
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

// create makes the file under another name first, so that a process that is
// killed, or a second one that does the same, leaves a whole file or none.
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

// publish gives a file its name, unless somebody else was first. Where a file
// system has no links, two processes that start in the same instant are not
// told apart.
func publish(made, path string) error {
	err := os.Link(made, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(made, path)
}

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

// sync makes a new name in a folder last.
func sync(folder string) error {
	if runtime.GOOS == "windows" {
		return nil // where folders cannot be synced
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// open tells apart why bbolt does not open a file: somebody has it, the
// operating system refuses, or it is none of bbolt's.
func open(path string, readOnly bool) (db *bbolt.DB, err error) {
	// bbolt panics at a list of free pages that is none, and leaves its file open.
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
