package asanaauth

import (
	"errors"

	"golang.org/x/sync/singleflight"
)

// Connections hands out the tokens of connections and ends them. Safe for
// concurrent use.
type Connections struct {
	Parts
	o      ConnectionsOptions
	flight singleflight.Group
	leases leaseWatch
}

// ConnectionsOptions are the settings of [Connections].
type ConnectionsOptions struct {
	// Alone leaves concurrent callers of one process to meet in the store
	// alone. By default they are joined in memory first, which spares a
	// long-lived process reads; nothing depends on it.
	Alone bool
}

// NewConnections returns the Connections of the parts. It fails where a part
// is missing.
func NewConnections(p Parts, o ConnectionsOptions) (*Connections, error) {
	if p.Store == nil || p.Asana == nil || p.Keys == nil || p.Secrets == nil {
		return nil, errors.New("asanaauth: connections need a store, Asana, keys and client secrets")
	}
	return &Connections{Parts: p.withDefaults(), o: o}, nil
}
