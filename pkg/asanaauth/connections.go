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

// NewConnections returns the Connections of the parts. It fails where Store or
// Keys are missing. Without Asana and Secrets, sessions can be opened and ended;
// all that could have to ask Asana fails with Internal.
func NewConnections(p Parts, o ConnectionsOptions) (*Connections, error) {
	if p.Store == nil || p.Keys == nil {
		return nil, errors.New("asanaauth: connections need a store and keys")
	}
	return &Connections{Parts: p.withDefaults(), o: o}, nil
}

// canAsk fails where there is nobody to ask.
func (c *Connections) canAsk() error {
	if c.Asana == nil || c.Secrets == nil {
		return &Error{Kind: Internal, Err: errors.New("these connections were made without Asana")}
	}
	return nil
}
