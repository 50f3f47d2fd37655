package asanaauth

import (
	"context"
	"time"
)

// Times gives tests the times of the protocol.
func Times() map[string]time.Duration {
	return map[string]time.Duration{
		"caller": callerTime, "request": requestTime, "reserve": saveReserve, "lease": leaseTime, "skew": clockSkew,
	}
}

// SecretsReady fetches the client secrets where they are old.
func (c *Connections) SecretsReady(ctx context.Context) error { return c.Secrets.Ready(ctx) }
