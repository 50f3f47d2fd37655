package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
)

// NewDisconnect returns the handler of POST /disconnect, which ends the
// connection of the person who is signed in, and so the session. It fails where
// an origin is none.
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
	if _, err := f.body(r); err != nil {
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
	return answerDisconnected(w, d)
}

// answerDisconnected says how far the end of a connection has come.
func answerDisconnected(w http.ResponseWriter, d connection.Disconnection) error {
	if d.Status == asanaauth.Revoking {
		return answerJSON(w, http.StatusAccepted, struct {
			Status string `json:"status"`
		}{"revoking"})
	}
	return answerJSON(w, http.StatusOK, struct {
		Status  string `json:"status"`
		Revoked bool   `json:"revoked_at_asana"`
	}{"disconnected", d.Revoked})
}
