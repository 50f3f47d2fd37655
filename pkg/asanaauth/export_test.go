package asanaauth

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Times gives tests the times of the protocol.
func Times() map[string]time.Duration {
	return map[string]time.Duration{
		"caller": callerTime, "request": requestTime, "reserve": saveReserve, "lease": leaseTime, "skew": clockSkew,
	}
}

// SessionOfKind is the session as it would be of a connection of another kind.
func SessionOfKind(s *Session, kind store.Kind) *Session {
	hot := *s.hot
	hot.Kind = kind
	return &Session{row: s.row, Connection: Connection{hot: &hot, cold: s.cold, ring: s.ring, caller: s.caller, bound: true}}
}
