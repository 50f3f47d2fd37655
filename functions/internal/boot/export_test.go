package boot

// For the tests: what Run passes to lambdahttp, and the start line.
var (
	Options    = options
	LogVersion = logVersion
)
