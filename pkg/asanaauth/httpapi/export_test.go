package httpapi

// ParseObject is parseObject, for the fuzzer.
func ParseObject(body []byte, known ...string) (map[string]string, error) {
	m, err := parseObject(body, known...)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for name, value := range m {
		texts[name] = string(value)
	}
	return texts, nil
}

// ParseParams is parseParams, for the fuzzer.
func ParseParams(raw string, known ...string) (map[string]string, error) {
	return parseParams(raw, known...)
}

// ReadSession is the session cookie of a request, "" where there is none.
var ReadSession = cookies{}.readSession

// WithOutcome is withOutcome.
var WithOutcome = withOutcome

// ProblemTypes is problemTypes.
var ProblemTypes = problemTypes
