package asanaauth

import "time"

// The times of the protocol. They hang together: a holder sends only with
// time for the request and the save left of its lease, and a caller that finds
// a dead holder can outwait it and still ask itself, all before API Gateway's
// 30 seconds. TestTimesFit holds them to it.
const (
	callerTime  = 25 * time.Second // that a caller waits for us
	requestTime = 8 * time.Second  // for a token request, both client secrets together
	saveReserve = 2 * time.Second  // for saving what Asana answered
	leaseTime   = 12 * time.Second
	clockSkew   = 3 * time.Second // between two machines
	// A lease that one process has watched for so long is dead, whatever
	// clock wrote its end.
	leaseWatched = leaseTime + clockSkew

	// living is the time that a token must have left to be of use to anybody.
	living = 5 * time.Second

	coolDownMin   = 2 * time.Second
	coolDownMax   = 8 * time.Second
	retryAfterMax = 5 * time.Minute // of Asana's Retry-After that is believed

	refusedEvery = 30 * time.Second // a connection's token may be reported refused
	pollMin      = 100 * time.Millisecond
	pollMax      = 400 * time.Millisecond

	// Asana documents an hour for access tokens; it counts where an answer
	// has no expires_in (RFC 6749 section 5.1 leaves it out in such cases).
	documentedLife = time.Hour

	attemptTTL   = 10 * time.Minute
	linkTTL      = 30 * time.Minute
	heldTTL      = 10 * time.Minute // what Asana answered to a link's trip waits for the backend
	codeTTL      = time.Minute      // of a session code
	tombstoneTTL = 30 * 24 * time.Hour
	idleMove     = time.Hour // a session's idle end is moved at most so often

	// A broken connection's refresh token is tried again by maintenance after
	// an hour first: the credential may have been refused by mistake.
	firstRetry = time.Hour

	secretTTL   = 5 * time.Minute  // a client secret is kept
	secretAgain = 30 * time.Second // a refused one is fetched again at most so often

	keysBeyondTTL = time.Hour        // a keyring serves while KMS is away
	keysRetry     = 10 * time.Second // KMS is asked while it is away
)
