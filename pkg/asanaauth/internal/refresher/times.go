package refresher

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// The times of the protocol depend on each other, and TestTimesFit checks them. A holder
// sends a request only if its lease lasts long enough for the request and the save. A
// caller that finds the lease of a dead holder can wait until that lease ends, and still
// send a request of its own within the 30 seconds that API Gateway allows.
const (
	leaseTime = 12 * time.Second
	// leaseSeenTime is how long a process must have seen a lease before it treats the
	// lease as dead, even if LeaseEnd has not passed.
	leaseSeenTime = leaseTime + row.ClockSkew
	// requestAndSave is the longest that a request to Asana and the save of its response
	// take together.
	requestAndSave = row.RequestTime + row.SaveReserve

	// minUsable is the least remaining lifetime with which a token is useful to a caller.
	minUsable = 5 * time.Second

	// A cool-down without a Retry-After lasts for a random time between these two.
	coolDownMin = 2 * time.Second
	coolDownMax = 8 * time.Second

	// reportInterval is the least time between two reports of a connection's access token
	// as refused.
	reportInterval = 30 * time.Second
)
