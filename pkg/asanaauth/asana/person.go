package asana

import (
	"unicode/utf8"

	"github.com/asanaauth/asanaauth/internal/weburl"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// User is a person (or bot) at Asana. What is known of people is not for logs, so
// it is kept like a secret. Each field is absent where Asana told none, or
// something that cannot be one.
type User struct {
	GID     string        // digits, see [IsGID]; "" where absent
	Name    secret.String // at most 1 KiB
	Email   secret.String // at most 1 KiB; never a key: people change it
	Picture secret.String // a URL, https (or http on loopback)
}

const mostText = 1 << 10 // bytes of a name or an address

// photoSizes are the members of "photo", the best for a page first.
var photoSizes = [...]string{"image_128x128", "image_60x60", "image_36x36", "image_1024x1024", "image_27x27", "image_21x21"}

// person reads a user object: of the API, the token answer's "data", or UserInfo.
// The number "id" that some of them have is not read: Asana's ids are strings.
func person(m map[string]any) User {
	gid, _ := m["gid"].(string)
	if !IsGID(gid) {
		gid = ""
	}
	return User{GID: gid, Name: personal(m["name"]), Email: personal(m["email"]), Picture: picture(m)}
}

func personal(v any) secret.String {
	s, _ := v.(string)
	if len(s) > mostText || !utf8.ValidString(s) {
		return secret.String{}
	}
	return secret.New(s)
}

// picture is UserInfo's "picture" or the best of the API's "photo". It ends in
// somebody's page, so that a javascript: URL must not pass.
func picture(m map[string]any) secret.String {
	found, _ := m["picture"].(string)
	photo, _ := m["photo"].(map[string]any)
	for _, size := range photoSizes {
		if s, ok := photo[size].(string); ok && found == "" {
			found = s
		}
	}
	if _, ok := weburl.ParseSecure(found); !ok || len(found) > 2*mostText {
		return secret.String{}
	}
	return secret.New(found)
}
