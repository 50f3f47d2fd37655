// Package deployment opens what the operator's commands work on: the deployment on
// AWS that the functions' variables name, or the data folder of "asanaauth local".
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

// Deployment is an opened deployment.
type Deployment struct {
	Connections *connection.Connections
	Rows        store.Scanner
	close       func() error
}

// Close frees what Open took.
func (d *Deployment) Close() error { return d.close() }

// Where says which deployment is meant.
type Where struct {
	folder string // of "asanaauth local"; empty: on AWS
}

// AddFlag adds -data to a command's flags.
func (w *Where) AddFlag(set *flag.FlagSet) {
	set.Func("data", "`folder` of an asanaauth local that does not run now, in place of the deployment on AWS", func(folder string) error {
		if folder == "" {
			// A variable that is not set, in a script, must not mean production.
			return errors.New("is empty")
		}
		w.folder = folder
		return nil
	})
}

// Open opens the deployment. With create a data folder is made where there is none.
// Errors name variables and folders, and no values of variables.
func (w Where) Open(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger, create bool) (*Deployment, error) {
	if w.folder == "" {
		return onAWS(ctx, lookup, log)
	}
	if _, err := os.Stat(w.folder); err != nil && !create {
		return nil, errors.New("-data: there is no such folder")
	}
	conns, rows, err := local.Open(w.folder, lookup, log)
	if err != nil {
		return nil, err
	}
	return &Deployment{Connections: conns, Rows: rows, close: rows.Close}, nil
}
