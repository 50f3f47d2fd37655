package httpapi

// Text reads a JSON text as members are read, for the fuzzer.
func Text(raw []byte) (string, error) {
	text, _, err := members{"a": raw}.text("a")
	return text, err
}
