package httpapi

// ParseObject is parseObject, with the members as strings.
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

// ParseParams is parseParams.
func ParseParams(raw string, known ...string) (map[string]string, error) {
	return parseParams(raw, known...)
}

// ReadSession returns the value of the session cookie, or the zero value.
var ReadSession = cookies{}.readSession

// WithOutcome is withOutcome.
var WithOutcome = withOutcome

// ProblemTypes is problemTypes.
var ProblemTypes = problemTypes
