package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
)

// createLink serves POST /links.
func (b backendCall) createLink(w http.ResponseWriter, r *http.Request) error {
	m, err := objectOf(r, "owner", "person", "return_to", "scopes", "asana_user")
	if err != nil {
		return err
	}
	var wanted link.Request
	if err := m.texts(map[string]*string{
		"owner": &wanted.Owner, "person": &wanted.Person, "return_to": &wanted.ReturnTo,
		"scopes": &wanted.Scopes, "asana_user": &wanted.AsanaUser,
	}); err != nil {
		return err
	}
	if err := m.checkNotEmpty(); err != nil {
		return err
	}
	made, err := b.Links.Create(r.Context(), wanted)
	if err != nil {
		return err
	}
	return respondJSON(w, http.StatusCreated, struct {
		URL       string `json:"url"`
		ExpiresAt string `json:"expires_at"`
	}{made.URL.Reveal(), timestamp(made.End)})
}
