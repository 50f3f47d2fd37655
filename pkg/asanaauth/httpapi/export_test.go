package httpapi

// ParseObject exports parseObject for tests. It returns the members as strings.
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

// ParseParams exports parseParams for tests.
func ParseParams(raw string, known ...string) (map[string]string, error) {
	return parseParams(raw, known...)
}

// ReadSession returns the value of the session cookie, or the zero value.
var ReadSession = cookies{}.readSession

// WithOutcome exports withOutcome for tests.
var WithOutcome = withOutcome

// ProblemTypes exports problemTypes for tests.
var ProblemTypes = problemTypes
