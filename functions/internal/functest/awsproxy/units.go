package awsproxy

import (
	"encoding/base64"
	"encoding/json"
	"math"
)

// units returns the write units that a PutItem uses: one for each kilobyte of the item,
// rounded up. The item's size is computed as documented at
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
// The test servers also report units in their responses, but some servers report wrong
// units or none.
func units(action string, body []byte) float64 {
	if action != "dynamodb:PutItem" {
		return 0
	}
	var p payload
	json.Unmarshal(body, &p)
	size := 0
	for name, value := range p.Item {
		size += len(name) + valueSize(value)
	}
	return math.Ceil(float64(size) / 1024)
}

// valueSize returns the size of an attribute value in bytes.
func valueSize(value map[string]any) int {
	for kind, v := range value {
		text, _ := v.(string)
		switch kind {
		case "S":
			return len(text)
		case "N":
			return (len(text)+1)/2 + 1
		case "B":
			return base64.StdEncoding.DecodedLen(len(text))
		}
	}
	return 1 // a boolean: rows contain no other types
}
