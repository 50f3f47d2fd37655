package row

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the maximum length of an owner's or a person's name, in bytes.
const maxName = 256

// signInPrefix is the beginning of the owner of every connection that a sign-in creates.
const signInPrefix = "asana:"

// SignInOwner returns the owner of a connection that a sign-in creates. gid is the gid of
// the Asana user who signs in.
func SignInOwner(gid string) string { return signInPrefix + gid }

// CheckOwner returns InvalidRequest unless name is 1 to 256 bytes of UTF-8 without control
// characters. Names are compared byte for byte.
func CheckOwner(name string) error {
	if !isName(name) {
		return InvalidRequest("owner must be 1 to 256 bytes of UTF-8 without control characters.")
	}
	return nil
}

// CheckNewOwner is like CheckOwner, but for the owner of a new link or import.
// CheckNewOwner also rejects a name that begins with "asana:", because that prefix is
// reserved for sign-in.
func CheckNewOwner(name string) error {
	if err := CheckOwner(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, signInPrefix) {
		return InvalidRequest("owner must not begin with \"asana:\", which is reserved for sign-in.")
	}
	return nil
}

// CheckPerson is like CheckOwner, but for a person's name.
func CheckPerson(name string) error {
	if !isName(name) {
		return InvalidRequest("person must be 1 to 256 bytes of UTF-8 without control characters.")
	}
	return nil
}

func isName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
