package local

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	localkey "github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/bolt"
)

// The files of the data folder.
const (
	rowsFile  = "rows.db"            // the table
	keyFile   = "local.key"          // in place of KMS
	asanaFile = "offline-asana.json" // offline Asana's memory
)

// data is the folder that everything is kept in, opened.
type data struct {
	folder string
	rows   *bolt.Store // whose file is locked: one process at a time
	key    *localkey.Key
}

// openData opens the folder, and makes it where there is none.
func openData(folder string) (*data, error) {
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, errors.New("this user has no cache directory: name a folder with -data")
		}
		folder = filepath.Join(cache, "asanaauth", "local")
	}
	if err := prepare(folder); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	d := &data{folder: folder}
	var err error
	if d.key, err = localkey.Open(filepath.Join(folder, keyFile)); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	d.rows, err = bolt.Open(filepath.Join(folder, rowsFile))
	switch {
	case errors.Is(err, bolt.ErrInUse):
		return nil, fmt.Errorf("data folder %s is in use by an asanaauth local that runs: stop it, or name another folder with -data", folder)
	case errors.Is(err, bolt.ErrDamaged):
		return nil, fmt.Errorf("data folder %s is damaged: %s is no store's file, or not all of it", folder, rowsFile)
	case err != nil:
		return nil, fmt.Errorf("data folder: %w", err)
	}
	return d, nil
}

// prepare makes the folder its owner's alone. A folder that holds other things
// is left as it is: it may be somebody's home.
func prepare(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, entry := range entries {
		has[entry.Name()] = true
		if !ours(entry.Name()) {
			return fmt.Errorf("%s holds other things: name a folder of its own with -data", folder)
		}
	}
	if has[rowsFile] && !has[keyFile] {
		return fmt.Errorf("%s has lost its %s, without which nothing in %s can be read: bring it back, or start with another folder", folder, keyFile, rowsFile)
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() == 0o700 || runtime.GOOS == "windows" {
		return err
	}
	return os.Chmod(folder, 0o700)
}

// ours knows the files of the folder, and what is left where the making of one
// was cut short.
func ours(name string) bool {
	for _, file := range []string{rowsFile, keyFile, asanaFile} {
		if name == file || strings.HasPrefix(name, file+".") {
			return true
		}
	}
	return false
}

// path is where a file of the folder is.
func (d *data) path(file string) string { return filepath.Join(d.folder, file) }

// Open opens a data folder that nobody serves now, for the commands that work on its
// connections. Asana is the one that the variables name, as for "asanaauth local",
// otherwise the folder's own offline Asana, in memory. The caller must close the store.
func Open(folder string, lookup func(string) (string, bool), log *slog.Logger) (*connection.Connections, *bolt.Store, error) {
	r := env.NewReader(lookup)
	c := config{
		installation: r.Optional("INSTALLATION", "local"),
		keyCacheTTL:  r.Duration("KEY_CACHE_TTL", 5*time.Minute, 0, time.Hour),
		offline:      !r.Set("ASANA_CLIENT_ID"),
		scopes:       "default",
	}
	c.readAsana(r)
	if err := r.Err(); err != nil {
		return nil, nil, fmt.Errorf("variables:\n%w", err)
	}
	d, err := openData(folder)
	if err != nil {
		return nil, nil, err
	}
	client, err := c.asanaOf(d)
	if err != nil {
		return nil, nil, errors.Join(err, d.rows.Close())
	}
	keys, secrets, err := c.keysAndSecrets(d, d.rows, log)
	if err == nil {
		var conns *connection.Connections
		if conns, err = connection.New(connection.Config{Store: d.rows, Keys: keys, Asana: client, Secrets: secrets, Log: log}); err == nil {
			return conns, d.rows, nil
		}
	}
	return nil, nil, errors.Join(err, d.rows.Close())
}

// asanaOf is the client of the Asana that the configuration names.
func (c *config) asanaOf(d *data) (*asana.Client, error) {
	var transport http.RoundTripper = asanaTransport()
	if c.offline {
		// The origin is never dialled: its form alone counts.
		offline, err := newOffline(c, d.path(asanaFile), "http://"+loopback4.String())
		if err != nil {
			return nil, err
		}
		transport = offline.Transport()
	}
	return asana.New(asana.Config{BaseURL: c.baseURL, Issuer: c.issuer, ClientID: c.clientID, Transport: transport})
}
