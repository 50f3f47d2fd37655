package httpapi

// ParseObject returns the JSON text of each member's value.
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

func ParseParams(raw string, known ...string) (map[string]string, error) {
	return parseParams(raw, known...)
}

var ReadSession = cookies{}.readSession

var WithOutcome = withOutcome

var ProblemTypes = problemTypes
