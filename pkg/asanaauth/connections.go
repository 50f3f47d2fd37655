package asanaauth

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Connections hands out the tokens of connections and ends them. Safe for
// concurrent use.
type Connections struct {
	Parts
	o       ConnectionsOptions
	flight  singleflight.Group
	flights sync.WaitGroup // refreshes that go on whatever becomes of their callers
	leases  leaseWatch
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

// Wait returns when no refresh is under way any more, or with ctx's error. A
// process calls it before it ends, when nobody calls Token any more: a refresh
// goes on when its callers have gone, and a rotated token that is not saved is
// lost.
func (c *Connections) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		c.flights.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// canAsk fails where there is nobody to ask for tokens.
func (c *Connections) canAsk() error {
	if c.Secrets == nil {
		return errNoAsana
	}
	return c.hasAsana()
}

// hasAsana fails where there is nobody to ask at all; no client secret is needed.
func (c *Connections) hasAsana() error {
	if c.Asana == nil {
		return errNoAsana
	}
	return nil
}

var errNoAsana = &Error{Kind: Internal, Err: errors.New("these connections were made without Asana")}

// issuedToUs fails where a grant is another client id's, as a row of staging is in
// production: Asana would call it invalid, and no connection must break by that.
func (c *Connections) issuedToUs(ctx context.Context, hot *store.Hot) error {
	if hot.Kind != store.OAuth || hot.ClientID == c.Asana.ClientID() {
		return nil
	}
	err := errors.New("the grant was issued to another client id")
	c.alarm(ctx, alarmWrongClient, hot.Connection, err)
	return &Error{Kind: Misconfigured, Err: err}
}
