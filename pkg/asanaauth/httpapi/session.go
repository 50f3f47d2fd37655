package httpapi

import (
	"net/http"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
)

// NewSession returns the handler of three routes. GET /session returns the signed-in
// person, or status 204 if no one is signed in. DELETE /session ends the session of this
// browser, or all sessions of the connection, and keeps the connection. POST
// /session/code creates a session code, which the app's backend redeems to learn who is
// signed in. NewSession returns an error if sessions is nil or an origin is not valid.
func NewSession(c Config, sessions *session.Sessions, origins []string) (http.Handler, error) {
	f, err := c.frontend(sessions, origins, "/session", http.MethodGet, http.MethodDelete)
	if err != nil {
		return nil, err
	}
	code, err := c.frontend(sessions, origins, "/session/code", http.MethodPost)
	if err != nil {
		return nil, err
	}
	main := f.handler(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodDelete {
			return f.signOut(w, r)
		}
		return f.profile(w, r)
	})
	codes := code.handler(code.sessionCode)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == code.path {
			codes.ServeHTTP(w, r)
			return
		}
		main.ServeHTTP(w, r)
	}), nil
}

func (f *frontend) sessionCode(w http.ResponseWriter, r *http.Request) error {
	if _, err := objectOf(r); err != nil {
		return err
	}
	s, err := f.session(r)
	if err != nil {
		return err
	}
	code, end, err := f.sessions.Code(r.Context(), s)
	if err != nil {
		return err
	}
	return respondJSON(w, http.StatusCreated, struct {
		SessionCode string `json:"session_code"`
		ExpiresAt   string `json:"expires_at"`
	}{code.Reveal(), timestamp(end)})
}

// profile serves GET /session. A page calls it to find out whether someone is signed in,
// so a visitor without a session is not an error.
func (f *frontend) profile(w http.ResponseWriter, r *http.Request) error {
	s, err := f.session(r)
	if asanaauth.KindOf(err) == asanaauth.Unauthenticated {
		if f.cookies.hasSession(r) {
			http.SetCookie(w, f.cookies.session("", 0))
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	p, err := f.sessions.Profile(r.Context(), s)
	if err != nil {
		return err
	}
	return respondJSON(w, http.StatusOK, struct {
		Connection string  `json:"connection"`
		AsanaUser  string  `json:"asana_user"`
		Name       *string `json:"name"`
		Email      *string `json:"email"`
		Picture    *string `json:"picture"`
		Scope      string  `json:"scope"`
		Status     string  `json:"status"`
		ExpiresAt  string  `json:"expires_at"`
	}{
		p.Connection, p.AsanaUser, orNull(p.Name), orNull(p.Email), orNull(p.Picture),
		p.Scope, string(p.Status), timestamp(p.ExpiresAt),
	})
}

// signOut serves DELETE /session. If the session does not exist or has ended, signOut
// still deletes the cookie, so that a page can repeat the request.
func (f *frontend) signOut(w http.ResponseWriter, r *http.Request) error {
	m, err := objectOf(r, "everywhere")
	if err != nil {
		return err
	}
	everywhere, err := m.flag("everywhere")
	if err != nil {
		return err
	}
	signOut := f.sessions.SignOut
	if everywhere {
		signOut = f.sessions.SignOutEverywhere
	}
	if err := signOut(r.Context(), f.cookies.readSession(r)); err != nil {
		return err
	}
	http.SetCookie(w, f.cookies.session("", 0))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func orNull(s secret.String) *string {
	if s.IsZero() {
		return nil
	}
	text := s.Reveal()
	return &text
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
