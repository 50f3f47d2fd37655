package refresher

// These constants let tests check the protocol's time limits.
const (
	LeaseTime      = leaseTime
	RequestAndSave = requestAndSave
)
