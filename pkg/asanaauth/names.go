package asanaauth

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostName bounds the names that backends give: owners and persons, in bytes.
const mostName = 256

// signInPrefix begins the owners of connections that people made for themselves.
const signInPrefix = "asana:"

// signInOwner is the owner of a connection that a person made for themselves.
func signInOwner(gid string) string { return signInPrefix + gid }

// checkName accepts 1 to 256 bytes of UTF-8 without control characters, which are
// kept and compared as they are.
func checkName(what, name string) error {
	if name == "" || len(name) > mostName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return &Error{Kind: InvalidRequest, Detail: map[string]string{
			"owner":  "owner is 1 to 256 bytes of UTF-8 without control characters.",
			"person": "person is 1 to 256 bytes of UTF-8 without control characters.",
		}[what]}
	}
	return nil
}

// checkNewOwner is checkName for an owner that is about to own something.
func checkNewOwner(name string) error {
	if err := checkName("owner", name); err != nil {
		return err
	}
	if strings.HasPrefix(name, signInPrefix) {
		return &Error{Kind: InvalidRequest, Detail: "Owners that begin with asana: are made by signing in alone."}
	}
	return nil
}
