package row

import "time"

// The times of a call. They depend on each other and on the times of a lease in package
// refresher, whose TestTimesFit checks all of them.
const (
	CallerTime  = 25 * time.Second // the longest that a call takes
	RequestTime = 8 * time.Second  // a request to Asana, with all client secrets together
	SaveReserve = 2 * time.Second  // reserved to save what Asana returned

	ClockSkew = 3 * time.Second // the most by which the clocks of two machines may differ

	// RetryAfterMax is the longest Retry-After of Asana that is observed. A longer one is
	// cut to it.
	RetryAfterMax = 5 * time.Minute

	pollMin = 100 * time.Millisecond
	pollMax = 400 * time.Millisecond

	AttemptTTL   = 10 * time.Minute // from the start of a sign-in at /authorize to its callback
	tombstoneTTL = 30 * 24 * time.Hour

	// assumedLifetime is an OAuth access token's lifetime if the response has no
	// expires_in (RFC 6749 section 5.1 allows that). Asana documents one hour.
	assumedLifetime = time.Hour
)

// Until returns the time from now to end, or zero if end has passed. An end that is later
// than most plus the clock skew was written by a wrong clock or an attacker, and counts as
// passed.
func Until(end, now time.Time, most time.Duration) time.Duration {
	left := end.Sub(now)
	if left > most+ClockSkew {
		return 0
	}
	return max(0, left)
}
