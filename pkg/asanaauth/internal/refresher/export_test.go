package refresher

// The times of the protocol, for tests.
const (
	LeaseTime      = leaseTime
	RequestAndSave = requestAndSave
)
