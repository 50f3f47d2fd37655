package boot

// Options and LogVersion let the tests call unexported functions of this package.
var (
	Options    = options
	LogVersion = logVersion
)
