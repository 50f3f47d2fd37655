package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
)

// NewDisconnect returns the handler of POST /disconnect. The handler disconnects the
// connection of the signed-in person, which also ends all sessions of this connection.
// NewDisconnect returns an error if sessions or conns is nil, or if an origin is not
// valid.
func NewDisconnect(c Config, sessions *session.Sessions, conns *connection.Connections, origins []string) (http.Handler, error) {
	if conns == nil {
		return nil, missing(true, "connections")
	}
	f, err := c.frontend(sessions, origins, "/disconnect", http.MethodPost)
	if err != nil {
		return nil, err
	}
	return f.handler(func(w http.ResponseWriter, r *http.Request) error {
		return f.disconnect(w, r, conns)
	}), nil
}

func (f *frontend) disconnect(w http.ResponseWriter, r *http.Request, conns *connection.Connections) error {
	if _, err := objectOf(r); err != nil {
		return err
	}
	s, err := f.session(r)
	if err != nil {
		return err
	}
	d, err := f.sessions.Disconnect(r.Context(), s, conns)
	if err != nil {
		return err
	}
	http.SetCookie(w, f.cookies.session("", 0))
	return respondDisconnected(w, d)
}

// respondDisconnected responds with status 202 if the grant must still be revoked at
// Asana, and otherwise with 200.
func respondDisconnected(w http.ResponseWriter, d connection.Disconnection) error {
	if d.Status == asanaauth.Revoking {
		return respondJSON(w, http.StatusAccepted, struct {
			Status string `json:"status"`
		}{"revoking"})
	}
	return respondJSON(w, http.StatusOK, struct {
		Status  string `json:"status"`
		Revoked bool   `json:"revoked_at_asana"`
	}{"disconnected", d.Revoked})
}
