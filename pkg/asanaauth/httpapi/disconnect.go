package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// NewDisconnect returns the handler of POST /disconnect, which ends the
// connection of the person who is signed in, and so the session. It fails where
// an origin is none.
func NewDisconnect(c Config, conns *asanaauth.Connections, origins []string) (http.Handler, error) {
	f, err := c.frontend(conns, origins, "/disconnect", http.MethodPost)
	if err != nil {
		return nil, err
	}
	return f.handler(f.disconnect), nil
}

func (f *frontend) disconnect(w http.ResponseWriter, r *http.Request) error {
	if _, err := f.body(r); err != nil {
		return err
	}
	s, err := f.session(r)
	if err != nil {
		return err
	}
	d, err := f.conns.Disconnect(r.Context(), s)
	if err != nil {
		return err
	}
	http.SetCookie(w, f.cookies.session("", 0))
	return answerDisconnected(w, d)
}

// answerDisconnected says how far the end of a connection has come.
func answerDisconnected(w http.ResponseWriter, d asanaauth.Disconnected) error {
	if d.Status == store.Revoking {
		return answerJSON(w, http.StatusAccepted, struct {
			Status string `json:"status"`
		}{"revoking"})
	}
	return answerJSON(w, http.StatusOK, struct {
		Status  string `json:"status"`
		Revoked bool   `json:"revoked_at_asana"`
	}{"disconnected", d.Revoked})
}
