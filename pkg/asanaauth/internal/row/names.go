package row

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name of an owner or a person, in bytes.
const maxName = 256

// signInPrefix is the prefix of the owner of a connection that was made by sign-in.
const signInPrefix = "asana:"

// SignInOwner returns the owner of a connection that was made by sign-in. gid is the Asana
// user's.
func SignInOwner(gid string) string { return signInPrefix + gid }

// CheckOwner returns InvalidRequest unless name is 1 to 256 bytes of UTF-8 without control
// characters. Names are compared byte for byte.
func CheckOwner(name string) error {
	if !isName(name) {
		return InvalidRequest("owner must be 1 to 256 bytes of UTF-8 without control characters.")
	}
	return nil
}

// CheckNewOwner is CheckOwner for the owner of a new link or import. It also rejects a name
// that begins with "asana:", which is reserved for sign-in.
func CheckNewOwner(name string) error {
	if err := CheckOwner(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, signInPrefix) {
		return InvalidRequest("owner must not begin with \"asana:\", which is reserved for sign-in.")
	}
	return nil
}

// CheckPerson is CheckOwner for the name of a person.
func CheckPerson(name string) error {
	if !isName(name) {
		return InvalidRequest("person must be 1 to 256 bytes of UTF-8 without control characters.")
	}
	return nil
}

func isName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
