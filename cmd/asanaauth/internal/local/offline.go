package local

import (
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The app of this service at offline Asana. The client id must not change, because each
// connection stores the client id of its grant. The secret protects nothing.
const (
	offlineClientID     = "1300000000008484"
	offlineClientSecret = "offline-local-app"
)

// newOffline returns an offline Asana with one registered app, which has the redirect URI
// and the scopes of c. It stores its state in file. newOffline also sets the base URL and
// the credentials of c to those of offline Asana.
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
