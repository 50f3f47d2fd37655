package env

import "strings"

// ARN returns a required Amazon Resource Name of a resource of that service, as
// in arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME.
func (r *Reader) ARN(name, service string) string {
	return r.checked(name, r.String(name), func(v string) string {
		if _, ok := resource(v, service); !ok {
			return "is no ARN of " + service
		}
		return ""
	})
}

// KMSKeyIDs is a required list of KMS keys, each as its key id or its key ARN. An
// alias is none: it can be pointed at another key, and every row seals with the
// key that this list names.
func (r *Reader) KMSKeyIDs(name string) []string { return r.words(name, kmsKeyFault) }

func kmsKeyFault(v string) string {
	id := v
	if strings.HasPrefix(v, "arn:") {
		res, ok := resource(v, "kms")
		if !ok {
			return "is no ARN of kms"
		}
		id = strings.TrimPrefix(res, "key/")
		if id == res {
			return "is the ARN of something else than a key (an alias cannot be used)"
		}
	}
	if strings.HasPrefix(id, "alias/") {
		return "is an alias: name the key itself"
	}
	const idChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	if id == "" || strings.Trim(id, idChars) != "" {
		return "is neither a key id nor a key ARN"
	}
	return ""
}

// resource is what follows arn:PARTITION:SERVICE:REGION:ACCOUNT: in an ARN that
// has all of these.
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
