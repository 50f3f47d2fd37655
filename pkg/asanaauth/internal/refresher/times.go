package refresher

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// A lease lasts long enough for a request and the save of its response. A call can take
// at most 30 seconds, the limit of API Gateway. This is enough to wait for the end of a
// lease whose holder has stopped, and then to send a request. TestTimesFit checks these
// limits.
const (
	leaseTime = 12 * time.Second
	// Even if LeaseEnd has not passed, a process treats a lease as expired when it has
	// seen the lease for leaseSeenTime.
	leaseSeenTime  = leaseTime + row.ClockSkew
	requestAndSave = row.RequestTime + row.SaveReserve

	// minUsable is the minimum time for which a token must still be valid to be returned
	// to a caller.
	minUsable = 5 * time.Second

	// A cool-down lasts for a random time between these limits, unless Asana's
	// Retry-After is longer.
	coolDownMin = 2 * time.Second
	coolDownMax = 8 * time.Second

	// After a report of a refused token has caused a refresh, no further report for the
	// same connection causes a refresh until reportInterval has passed. Two introspections
	// are at least reportInterval apart, too.
	reportInterval = 30 * time.Second
)
