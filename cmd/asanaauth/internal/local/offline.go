package local

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The client ID must not change, because each stored connection contains the client ID of
// its grant. The client secret does not need to be kept secret.
const (
	offlineClientID     = "1300000000008484"
	offlineClientSecret = "offline-local-app"
)

// newOffline returns an offline Asana, which stores its data in file. The offline Asana
// has one app, with the redirect URI and the scopes in c. newOffline also sets c.baseURL,
// c.clientID and c.secrets, so that Asana clients with the configuration c use the
// offline Asana.
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
		return nil, fmt.Errorf("%w: the file is damaged or comes from another version: delete it, which resets offline Asana, or name another folder with -data", err)
	}
	return offline, err
}
