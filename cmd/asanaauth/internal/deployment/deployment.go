// Package deployment opens the deployment that an operator's command works on.
//
// By default, that is the deployment on AWS named by the environment variables of the
// functions. With the flag -data, it is a data folder of "asanaauth local".
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

// Deployment is an open deployment. Callers must close it.
type Deployment struct {
	Connections *connection.Connections
	Rows        store.Scanner
	close       func() error
}

// Close closes the data folder, if the deployment has one.
func (d *Deployment) Close() error { return d.close() }

// Where selects a deployment. The zero value selects the one on AWS.
type Where struct {
	folder string // data folder of "asanaauth local"; empty for the deployment on AWS
}

// AddFlag defines the flag -data, which selects a data folder.
func (w *Where) AddFlag(set *flag.FlagSet) {
	set.Func("data", "use the data `folder` of \"asanaauth local\", which must not be running, instead of the deployment on AWS", func(folder string) error {
		if folder == "" {
			// In a script, -data "$UNSET" must not select the deployment on AWS.
			return errors.New("must not be empty")
		}
		w.folder = folder
		return nil
	})
}

// Open opens the deployment. lookup returns environment variables, like [os.LookupEnv].
// If the data folder does not exist, Open creates it if create is true, and returns an
// error otherwise. Errors do not contain values of variables.
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
	return &Deployment{Connections: conns, Rows: rows, close: rows.Close}, nil
}
