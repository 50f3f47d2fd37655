package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
)

// token serves POST /connections/{id}/token. Unlike POST /refresh, this route can also
// return a long-lived token.
func (b backendCall) token(w http.ResponseWriter, r *http.Request) error {
	m, err := objectOf(r, "min_ttl", "refused")
	if err != nil {
		return err
	}
	wanted, err := tokenRequest(m)
	if err != nil {
		return err
	}
	conn, err := b.open(r)
	if err != nil {
		return err
	}
	t, err := b.Tokens.Token(r.Context(), conn, wanted)
	if err != nil {
		return err
	}
	return respondToken(w, t)
}

// membership serves GET /connections/{id}/membership.
func (b backendCall) membership(w http.ResponseWriter, r *http.Request) error {
	conn, err := b.open(r)
	if err != nil {
		return err
	}
	return respondMemberships(w, r, b.Memberships, conn, b.params)
}

// capabilities serves GET /connections/{id}/capabilities.
func (b backendCall) capabilities(w http.ResponseWriter, r *http.Request) error {
	conn, err := b.open(r)
	if err != nil {
		return err
	}
	can, err := b.Memberships.Capabilities(r.Context(), conn)
	if err != nil {
		return err
	}
	return respondJSON(w, http.StatusOK, newCapabilities(can))
}

type capabilities struct {
	Active         bool              `json:"active"`
	Kind           string            `json:"kind"`
	AttributedTo   *Identity         `json:"attributed_to"`
	ScopeRequested *string           `json:"scope_requested"`
	ScopeGranted   *string           `json:"scope_granted"`
	ScopeMissing   *string           `json:"scope_missing"`
	Workspaces     []jsonMembership  `json:"workspaces"`
	Unknown        map[string]string `json:"unknown"` // the reason for each null value
}

func newCapabilities(can membership.Capabilities) capabilities {
	c := capabilities{
		Active: can.Active, Kind: string(can.Kind), ScopeRequested: textOrNull(can.ScopeRequested),
		ScopeGranted: can.ScopeGranted, ScopeMissing: can.ScopeMissing, Unknown: can.Unknown,
	}
	if can.AttributedTo != nil {
		c.AttributedTo = newIdentity(*can.AttributedTo)
	}
	if can.Workspaces != nil {
		c.Workspaces = newMemberships(can.Workspaces)
	}
	return c
}
