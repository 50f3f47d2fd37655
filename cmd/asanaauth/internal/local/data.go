package local

import (
	"errors"
	"fmt"
	"io/fs"
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

const (
	rowsFile  = "rows.db"            // the table
	keyFile   = "local.key"          // the key that replaces KMS
	asanaFile = "offline-asana.json" // the state of the offline Asana
	// controlFile contains the address of the control server while the command runs.
	controlFile = "control.json"
)

type data struct {
	folder string
	rows   *bolt.Store // locks rowsFile, so only one process can use the folder
	key    *localkey.Key
}

// openData creates the folder if it does not exist. If folder is empty, openData uses a
// folder in the user's cache directory.
func openData(folder string) (*data, error) {
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, errors.New("no cache directory for this user: name a data folder with -data")
		}
		folder = filepath.Join(cache, "asanaauth", "local")
	}
	switch err := prepare(folder); {
	case errors.Is(err, errOtherFiles):
		return nil, fmt.Errorf("data folder: %s %w: name an empty or new folder with -data", folder, err)
	case err != nil:
		return nil, fmt.Errorf("data folder: %w", err)
	}
	d := &data{folder: folder}
	var err error
	d.key, err = localkey.Open(filepath.Join(folder, keyFile))
	switch {
	case errors.Is(err, localkey.ErrNotKey):
		return nil, fmt.Errorf("data folder: %w: restore it from a backup, or name another folder with -data", err)
	case err != nil:
		return nil, fmt.Errorf("data folder: %w", err)
	}
	d.rows, err = bolt.Open(filepath.Join(folder, rowsFile))
	switch {
	case errors.Is(err, bolt.ErrInUse):
		return nil, inUse(folder)
	case errors.Is(err, bolt.ErrDamaged):
		return nil, fmt.Errorf("data folder %s is damaged: %s is not a table or is incomplete: restore the folder from a backup, or name another one with -data", folder, rowsFile)
	case err != nil:
		return nil, fmt.Errorf("data folder: %w", err)
	}
	// This process has the lock of rowsFile now, so the process that wrote a control file
	// has ended. A process of another user may now listen on the port in this file.
	if err := os.Remove(d.path(controlFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data folder: %w", errors.Join(err, d.rows.Close()))
	}
	return d, nil
}

// ErrInUse means that another process uses a data folder.
var ErrInUse = errors.New("is in use by another asanaauth process")

func inUse(folder string) error {
	return fmt.Errorf("data folder %s %w: stop that process, or name another folder with -data", folder, ErrInUse)
}

var errOtherFiles = errors.New("contains other files")

// prepare creates the folder and makes it accessible only to its owner. If the folder
// contains files of other programs, prepare returns errOtherFiles and does not change the
// mode, because the folder may be a home directory.
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
		if !isOurs(entry.Name()) {
			return errOtherFiles
		}
	}
	if has[rowsFile] && !has[keyFile] {
		return fmt.Errorf("%s is missing in %s, and %s cannot be decrypted without it: restore the file, or name another folder with -data", keyFile, folder, rowsFile)
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() == 0o700 || runtime.GOOS == "windows" {
		return err
	}
	return os.Chmod(folder, 0o700)
}

// isOurs reports whether a file in a data folder belongs to "asanaauth local". The result
// is also true for names with an added suffix such as ".tmp", because a killed process
// may leave temporary files.
func isOurs(name string) bool {
	for _, file := range []string{rowsFile, keyFile, asanaFile, controlFile} {
		if name == file || strings.HasPrefix(name, file+".") {
			return true
		}
	}
	return false
}

func (d *data) path(file string) string { return filepath.Join(d.folder, file) }

// Open opens a data folder for commands that work on its connections. If another process
// uses the folder, Open returns an error that wraps [ErrInUse]. The connections use the real
// Asana if ASANA_CLIENT_ID is set, and otherwise the folder's offline Asana. lookup
// returns environment variables, like [os.LookupEnv]. The caller must close the store.
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
		return nil, nil, fmt.Errorf("correct these environment variables:\n%w", err)
	}
	d, err := openData(folder)
	switch {
	case errors.Is(err, errOtherFiles):
		return nil, nil, fmt.Errorf("%s is not a data folder of \"asanaauth local\": check the path in -data", folder)
	case err != nil:
		return nil, nil, err
	}
	client, err := c.asanaClient(d)
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

// asanaClient returns a client for Asana. If c.offline is set, the client calls an
// offline Asana in this process directly, without a network connection.
func (c *config) asanaClient(d *data) (*asana.Client, error) {
	var transport http.RoundTripper = asanaTransport()
	if c.offline {
		// The client's transport never connects to this origin.
		offline, err := newOffline(c, d.path(asanaFile), "http://"+loopback4.String())
		if err != nil {
			return nil, err
		}
		transport = offline.Transport()
	}
	return asana.New(asana.Config{BaseURL: c.baseURL, Issuer: c.issuer, ClientID: c.clientID, Transport: transport})
}
