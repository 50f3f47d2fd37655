package boot

var (
	Options    = options
	LogVersion = logVersion
)
