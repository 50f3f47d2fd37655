// Package deployment opens the deployment on which an operator's command works.
//
// By default, environment variables identify a deployment on AWS. The flag -data selects
// a data folder of "asanaauth local" instead.
package deployment

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Deployment gives access to the connections and the rows of a deployment on AWS or of a
// data folder. The caller must call [Deployment.Close].
type Deployment struct {
	Connections *connection.Connections
	Rows        store.Scanner
	close       func() error
	advice      func(error) string
}

// Close closes the data folder. For a deployment on AWS, Close does nothing.
func (d *Deployment) Close() error { return d.close() }

// Advice returns what an operator must do about an error of d.Connections or d.Rows, or
// "" if no advice exists. The result contains no part of the error.
func (d *Deployment) Advice(err error) string { return d.advice(err) }

// Where selects a deployment. The zero value selects the deployment on AWS.
type Where struct {
	folder string // data folder of "asanaauth local"; empty for the deployment on AWS
}

// Folder returns the data folder, or "" for the deployment on AWS.
func (w Where) Folder() string { return w.folder }

// OfFolder returns a deployment for the connections and the rows of an open data folder.
// The caller that opened the folder must close it.
func OfFolder(conns *connection.Connections, rows store.Scanner) *Deployment {
	return &Deployment{Connections: conns, Rows: rows, close: func() error { return nil }, advice: func(error) string { return "" }}
}

// AddFlag defines the flag -data in set. The value of the flag is the path of a data
// folder, and is stored in w.
func (w *Where) AddFlag(set *flag.FlagSet) {
	set.Func("data", "use the data `folder` of \"asanaauth local\" instead of the deployment on AWS", func(folder string) error {
		if folder == "" {
			// Otherwise, a script that passes -data "$FOLDER" without setting FOLDER
			// would use the deployment on AWS.
			return errors.New("must not be empty")
		}
		w.folder = folder
		return nil
	})
}

// Open opens the selected deployment. lookup returns environment variables, like
// [os.LookupEnv]. If the data folder does not exist, Open creates it if create is true,
// and otherwise returns an error. Errors do not contain values of environment variables.
func (w Where) Open(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger, create bool) (*Deployment, error) {
	if w.folder == "" {
		return onAWS(ctx, lookup, log)
	}
	if _, err := os.Stat(w.folder); err != nil && !create {
		return nil, errors.New("-data: the folder does not exist: check its path")
	}
	conns, rows, err := local.Open(w.folder, lookup, log)
	if err != nil {
		return nil, err
	}
	d := OfFolder(conns, rows)
	d.close = rows.Close
	return d, nil
}
