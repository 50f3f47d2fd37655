package row

import "time"

// TestTimesFit in package refresher checks these times: for example, that a lease is long
// enough for a request to Asana and the save of its response.
const (
	CallerTime  = 25 * time.Second // the time limit of a call
	RequestTime = 8 * time.Second  // the time limit of a request to Asana, including retries with other client secrets
	SaveReserve = 2 * time.Second  // the time that must be left to save Asana's response before a request is sent

	ClockSkew = 3 * time.Second // the maximum difference between the clocks of two machines

	// RetryAfterMax is the maximum of the Retry-After header in Asana's responses. A
	// higher value is treated as RetryAfterMax.
	RetryAfterMax = 5 * time.Minute

	pollMin = 100 * time.Millisecond
	pollMax = 400 * time.Millisecond

	AttemptTTL   = 10 * time.Minute // the time from the request to /authorize to the request to /callback
	tombstoneTTL = 30 * 24 * time.Hour

	// assumedLifetime is an OAuth access token's lifetime if the token response has no
	// expires_in, which RFC 6749 section 5.1 allows. Asana documents one hour.
	assumedLifetime = time.Hour
)

// Until returns the time from now until end, or zero if end has passed. If the result
// would be longer than limit plus the clock skew, Until also returns zero, because only
// an attacker or a process with a wrong clock writes such an end.
func Until(end, now time.Time, limit time.Duration) time.Duration {
	left := end.Sub(now)
	if left > limit+ClockSkew {
		return 0
	}
	return max(0, left)
}
