package local

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The service's app at the offline Asana. The client ID must not change, because each
// stored connection contains the client ID of its grant. The secret does not need to be
// secret.
const (
	offlineClientID     = "1300000000008484"
	offlineClientSecret = "offline-local-app"
)

// newOffline returns an offline Asana that stores its state in file. The only app at this
// Asana has the redirect URI and the scopes in c. newOffline also sets c.baseURL to
// origin, and it stores the app's client ID and client secret in c.
func newOffline(c *config, file, origin string) (*asanatest.Asana, error) {
	c.clientID, c.secrets, c.baseURL = offlineClientID, []secret.String{secret.New(offlineClientSecret)}, origin
	offline, err := asanatest.New(asanatest.Options{
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
	if unreadable := (*fs.PathError)(nil); err != nil && !errors.As(err, &unreadable) {
		return nil, fmt.Errorf("%s is damaged or comes from another version: delete it, or name another folder with -data", file)
	}
	return offline, err
}
