package asana

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/asanaauth/asanaauth/internal/weburl"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// User is a user of Asana: a person, a bot or a service account. Personal data must not
// be logged, so Name, Email and Picture cannot be printed. A field is zero if Asana sent
// no value or an invalid value. In Name and Email, U+FFFD replaces each control character.
type User struct {
	GID     string        // see [IsGID]
	Name    secret.String // at most 1 KiB
	Email   secret.String // at most 1 KiB; not an identifier, because users can change it
	Picture secret.String // the URL of a picture: https, or http on a loopback host; at most 2 KiB
}

// maxText is the maximum size of a name or an e-mail address, in bytes.
const maxText = 1 << 10

// photoSizes lists the fields of the object "photo" by preference. The most suitable size
// for a web page comes first.
var photoSizes = [...]string{"image_128x128", "image_60x60", "image_36x36", "image_1024x1024", "image_27x27", "image_21x21"}

// userOf converts a user object from the REST API, the token response or the UserInfo
// response. userOf ignores the numeric field "id" that some of these objects have,
// because gids are strings.
func userOf(m map[string]any) User {
	return User{GID: gidOf(m), Name: personalText(m["name"]), Email: personalText(m["email"]), Picture: picture(m)}
}

// gidOf returns the field "gid" of a record, or "" if the field is missing or not a gid.
func gidOf(m map[string]any) string {
	gid, _ := m["gid"].(string)
	if !IsGID(gid) {
		return ""
	}
	return gid
}

// personalText returns v without control characters if v is a UTF-8 string of at most
// maxText bytes, and otherwise zero.
func personalText(v any) secret.String {
	s, _ := v.(string)
	if len(s) > maxText || !utf8.ValidString(s) {
		return secret.String{}
	}
	return secret.New(replaceControls(s))
}

// replaceControls replaces each control character in s with U+FFFD. Otherwise, a name that
// a person chose at Asana could move the cursor of an operator's terminal, or begin a new
// line in a log or an e-mail of the app.
func replaceControls(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// picture returns a picture's URL: the field "picture" of a UserInfo response, or the
// first of photoSizes in the object "photo" of a REST API response. Web pages load the
// URL, so picture rejects schemes such as javascript. picture accepts only https, and
// http on a loopback host.
func picture(m map[string]any) secret.String {
	found, _ := m["picture"].(string)
	photo, _ := m["photo"].(map[string]any)
	for _, size := range photoSizes {
		if s, ok := photo[size].(string); ok && found == "" {
			found = s
		}
	}
	if _, ok := weburl.ParseSecure(found); !ok || len(found) > 2*maxText {
		return secret.String{}
	}
	return secret.New(found)
}
