package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// An Operator runs a command of "asanaauth connections", whose arguments are args, on the
// connections and rows of a data folder. Returned errors are shown to users.
type Operator func(ctx context.Context, conns *connection.Connections, rows store.Scanner, args []string, stdout, stderr io.Writer) error

// control runs the commands of other processes. Only one process can open a data folder,
// so while "asanaauth local" uses the folder, it runs the commands itself. The control
// server has a listener of its own on a loopback address. Each request must contain a key
// from the data folder, which other users of the machine cannot read.
type control struct {
	host    string // value of the Host header
	folder  string
	key     secret.String
	conns   *connection.Connections
	rows    store.Scanner
	operate Operator
}

// controlAddress is the content of the control file.
type controlAddress struct {
	Host string `json:"host"`
	Key  string `json:"key"`
}

type controlRequest struct {
	// Folder is the data folder. It differs from the expected folder if the control file
	// is in a copy of a data folder.
	Folder string   `json:"folder"`
	Args   []string `json:"args"`
}

type controlResponse struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	Error  string `json:"error"` // empty if the command succeeded
}

// addControl starts to listen, and writes the address and the key to the data folder. The
// caller must call remove when the process ends.
func (s *servers) addControl(c control, d *data) (remove func(), err error) {
	l, err := net.Listen("tcp4", net.JoinHostPort(loopback4.String(), "0"))
	if err != nil {
		return nil, err
	}
	c.host, c.folder, c.key = l.Addr().String(), d.folder, secret.New(rand.Text())
	file := d.path(controlFile)
	if err := writePrivate(file, controlAddress{c.host, c.key.Reveal()}); err != nil {
		l.Close()
		return nil, fmt.Errorf("data folder: %w", err)
	}
	s.add("control", []net.Listener{l}, &c)
	return func() {
		if err := os.Remove(file); err != nil {
			s.log.Warn("removing the control file", "err", err)
		}
	}, nil
}

// writePrivate creates a file that only the current user can read.
func writePrivate(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	sent := bearerToken(r.Header)
	switch {
	case r.Host != c.host || r.Header.Get("Origin") != "":
		http.Error(w, "Only the command asanaauth may send this request.", http.StatusForbidden)
		return
	case sent.IsZero() || !sent.Equal(c.key):
		http.Error(w, "The key is missing or wrong.", http.StatusUnauthorized)
		return
	}
	var request controlRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&request); err != nil {
		http.Error(w, "The body must be a JSON object with folder and args.", http.StatusBadRequest)
		return
	}
	if !sameFolder(request.Folder, c.folder) {
		http.Error(w, "This process uses another data folder.", http.StatusConflict)
		return
	}
	var stdout, stderr bytes.Buffer
	var result controlResponse
	if err := c.operate(r.Context(), c.conns, c.rows, request.Args, &stdout, &stderr); err != nil {
		result.Error = err.Error()
	}
	result.Stdout, result.Stderr = stdout.String(), stderr.String()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(result)
}

func sameFolder(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// Operate has the "asanaauth local" that uses the data folder run a command of "asanaauth
// connections". Returned errors are shown to users. Operate returns an error that wraps
// [ErrInUse] if the process that uses the folder is not an "asanaauth local".
func Operate(ctx context.Context, folder string, args []string, stdout, stderr io.Writer) error {
	var at controlAddress
	text, err := os.ReadFile(filepath.Join(folder, controlFile))
	if err != nil || json.Unmarshal(text, &at) != nil {
		return inUse(folder)
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return err
	}
	body, err := json.Marshal(controlRequest{folder, args})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.Host+"/", bytes.NewReader(body))
	if err != nil {
		return inUse(folder)
	}
	r.Header.Set("Authorization", "Bearer "+at.Key)
	resp, err := (&http.Transport{}).RoundTrip(r) // neither a proxy nor redirects
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return inUse(folder) // the process has just ended
	}
	defer resp.Body.Close()
	var result controlResponse
	if err := json.NewDecoder(resp.Body).Decode(&result); err != nil || resp.StatusCode != http.StatusOK {
		return inUse(folder)
	}
	_, err1 := io.Copy(stdout, strings.NewReader(result.Stdout))
	_, err2 := io.Copy(stderr, strings.NewReader(result.Stderr))
	if result.Error != "" {
		return errors.New(result.Error)
	}
	return errors.Join(err1, err2)
}
