package refresher

const (
	LeaseTime      = leaseTime
	RequestAndSave = requestAndSave
)
