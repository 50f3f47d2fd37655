package local

import (
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// Our app at offline Asana. The client id never changes, as rows name the one
// that their grant was issued to; the secret guards nothing.
const (
	offlineClientID     = "1300000000008484"
	offlineClientSecret = "offline-local-app"
)

// newOffline makes an offline Asana where our app is registered as it has to be:
// with our redirect URI, and exactly the scopes that we ask for. The config then
// points to it.
func newOffline(c *config, file, origin string) (*asanatest.Asana, error) {
	c.clientID, c.secrets, c.baseURL = offlineClientID, []secret.String{secret.New(offlineClientSecret)}, origin
	return asanatest.New(asanatest.Options{
		BaseURL: origin,
		File:    file,
		Apps: []asanatest.App{{
			ClientID:     offlineClientID,
			ClientSecret: offlineClientSecret,
			Name:         "asanaauth local",
			RedirectURIs: []string{c.redirectURI()},
			Scopes:       strings.Fields(c.scopes),
		}},
	})
}
