package gate

import (
	"encoding/base64"
	"encoding/json"
	"math"
)

// units counts what a PutItem writes, a unit for each kilobyte begun. Sizes are
// those of https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
// Servers that stand in for DynamoDB do not all count, and some only think they do.
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
	return 1 // a boolean, and the only other kind that rows have
}
