package refresher

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// A lease lasts long enough for a request and the save of its response. A caller that
// finds a dead holder's lease has enough time to wait until the lease ends and then to
// send a request, within the 30 seconds that API Gateway allows. TestTimesFit checks
// these limits.
const (
	leaseTime = 12 * time.Second
	// leaseSeenTime is how long a process must have seen a lease before it treats the
	// lease as expired, even if LeaseEnd has not passed.
	leaseSeenTime  = leaseTime + row.ClockSkew
	requestAndSave = row.RequestTime + row.SaveReserve

	// minUsable is how long a token must still be valid to be useful to a caller.
	minUsable = 5 * time.Second

	// If Asana's response has no Retry-After header, a cool-down lasts for a random time
	// between these limits.
	coolDownMin = 2 * time.Second
	coolDownMax = 8 * time.Second

	// reportInterval is the minimum time between two reports of refused access tokens for
	// one connection.
	reportInterval = 30 * time.Second
)
