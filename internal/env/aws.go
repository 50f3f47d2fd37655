package env

import (
	"strings"
)

// ARN returns the value of a required variable. The value must be the Amazon Resource
// Name of a resource of the given AWS service. For the service "secretsmanager", an
// example is arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME.
func (r *Reader) ARN(name, service string) string {
	return r.checked(name, r.String(name), func(v string) string {
		if _, ok := resource(v, service); !ok {
			return "is not an ARN of " + service
		}
		return ""
	})
}

// TableName returns the value of a required variable, which must be the name or the ARN of
// a DynamoDB table. A name is at most 255 characters of A-Z, a-z, 0-9, "_", "." and "-".
func (r *Reader) TableName(name string) string {
	return r.checked(name, r.String(name), func(v string) string {
		table := v
		if res, ok := resource(v, "dynamodb"); ok {
			table = strings.TrimPrefix(res, "table/")
		}
		if table == "" || len(table) > 255 || strings.Trim(table, letters+digits+"_.-") != "" {
			return "is neither the name nor the ARN of a DynamoDB table"
		}
		return ""
	})
}

// KMSKeyIDs returns a required list of KMS keys, each a key ID or a key ARN. Aliases are
// not accepted, because an alias can later be changed to refer to a different key.
func (r *Reader) KMSKeyIDs(name string) []string { return r.words(name, kmsKeyFault) }

func kmsKeyFault(v string) string {
	id := v
	if strings.HasPrefix(v, "arn:") {
		res, ok := resource(v, "kms")
		if !ok {
			return "is not an ARN of kms"
		}
		id = strings.TrimPrefix(res, "key/")
		if id == res {
			return "is not the ARN of a key (an alias cannot be used)"
		}
	}
	if strings.HasPrefix(id, "alias/") {
		return "is an alias: use the key ID or key ARN"
	}
	const idChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	if id == "" || strings.Trim(id, idChars) != "" {
		return "is neither a key ID nor a key ARN"
	}
	return ""
}

// resource returns the last part of the ARN
// arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE. If a part is missing, or if SERVICE is
// not equal to service, the second result is false.
func resource(arn, service string) (string, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != service {
		return "", false
	}
	for _, i := range []int{1, 3, 4, 5} {
		if parts[i] == "" {
			return "", false
		}
	}
	return parts[5], true
}
