package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
)

// NewMembership returns the handler of GET /membership. Without a query, the handler
// responds with the signed-in person's memberships in all workspaces. With the query
// workspace=GID, the handler responds with the person's membership in that workspace.
// NewMembership returns an error if sessions or m is nil, or if an origin is not valid.
func NewMembership(c Config, sessions *session.Sessions, m *membership.Memberships, origins []string) (http.Handler, error) {
	if m == nil {
		return nil, missing(true, "memberships")
	}
	f, err := c.frontend(sessions, origins, "/membership", http.MethodGet)
	if err != nil {
		return nil, err
	}
	return f.handler(func(w http.ResponseWriter, r *http.Request) error {
		return f.membership(w, r, m)
	}), nil
}

func (f *frontend) membership(w http.ResponseWriter, r *http.Request, m *membership.Memberships) error {
	p, err := parseParams(r.URL.RawQuery, "workspace")
	if err != nil {
		return err
	}
	s, err := f.session(r)
	if err != nil {
		return err
	}
	return respondMemberships(w, r, m, s.Connection(), p)
}

func respondMemberships(w http.ResponseWriter, r *http.Request, m *membership.Memberships, conn *connection.Connection, p params) error {
	if workspace, ok := p["workspace"]; ok {
		in, err := m.In(r.Context(), conn, workspace, p["user"])
		if err != nil {
			return err
		}
		return respondJSON(w, http.StatusOK, newMembership(in))
	}
	list, err := m.List(r.Context(), conn, p["user"])
	if err != nil {
		return err
	}
	return respondJSON(w, http.StatusOK, struct {
		Data []jsonMembership `json:"data"`
	}{newMemberships(list)})
}

func newMemberships(list []membership.Membership) []jsonMembership {
	data := make([]jsonMembership, 0, len(list))
	for _, in := range list {
		data = append(data, newMembership(in))
	}
	return data
}

type jsonMembership struct {
	Workspace  namedGID          `json:"workspace"`
	User       namedGID          `json:"user"`
	IsActive   *bool             `json:"is_active"`
	IsAdmin    *bool             `json:"is_admin"`
	IsGuest    *bool             `json:"is_guest"`
	IsViewOnly *bool             `json:"is_view_only"`
	CanWrite   *bool             `json:"can_write"`
	Unknown    map[string]string `json:"unknown"` // the reason for each null flag
	AskedWith  string            `json:"asked_with"`
	CheckedAt  string            `json:"checked_at"`
}

type namedGID struct {
	GID  string  `json:"gid"`
	Name *string `json:"name"`
}

func newMembership(in membership.Membership) jsonMembership {
	unknown := map[string]string{}
	flag := func(name string, f membership.Flag) *bool {
		if !f.Known {
			unknown[name] = f.Unknown
			return nil
		}
		return &f.Value
	}
	workspace := namedGID{GID: in.Workspace.GID}
	if in.Workspace.Name != "" {
		workspace.Name = &in.Workspace.Name
	}
	return jsonMembership{
		Workspace:  workspace,
		User:       namedGID{in.UserGID, orNull(in.UserName)},
		IsActive:   flag("is_active", in.Active),
		IsAdmin:    flag("is_admin", in.Admin),
		IsGuest:    flag("is_guest", in.Guest),
		IsViewOnly: flag("is_view_only", in.ViewOnly),
		CanWrite:   flag("can_write", in.CanWrite()),
		Unknown:    unknown,
		AskedWith:  in.AskedWith,
		CheckedAt:  timestamp(in.CheckedAt),
	}
}
