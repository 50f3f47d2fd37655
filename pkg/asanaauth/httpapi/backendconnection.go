package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
)

// Connection is the JSON form of a connection. Every member is always present. A member
// is null if its value is unknown or does not apply. A Connection never contains a token.
type Connection struct {
	ID             string    `json:"id"`
	Kind           string    `json:"kind"`
	Owner          *string   `json:"owner"`
	Status         string    `json:"status"`
	StatusReason   *string   `json:"status_reason"`
	AttributedTo   *Identity `json:"attributed_to"`
	ScopeRequested *string   `json:"scope_requested"`
	ScopeGranted   *string   `json:"scope_granted"`
	ReaderOf       []string  `json:"reader_of"`
	CreatedAt      *string   `json:"created_at"`
	UpdatedAt      *string   `json:"updated_at"`
	LastRefreshed  *string   `json:"last_refreshed_at"`
	BrokenAt       *string   `json:"broken_at"`
	ExpiresAt      *string   `json:"expires_at"`
}

// Identity is the JSON form of an Asana user.
type Identity struct {
	GID   string  `json:"gid"`
	Name  *string `json:"name"`
	Email *string `json:"email"`
}

func newIdentity(i asanaauth.Identity) *Identity {
	return &Identity{i.GID, orNull(i.Name), orNull(i.Email)}
}

// ConnectionOf returns the JSON form of d. For a disconnected connection, all members
// except the ID, the kind, the owner, the status and updated_at are null.
func ConnectionOf(d asanaauth.Details) Connection {
	c := Connection{
		ID: d.ID, Kind: string(d.Kind), Owner: textOrNull(d.Owner), Status: string(d.Status), StatusReason: textOrNull(d.StatusReason),
		UpdatedAt: timeOrNull(d.UpdatedAt),
	}
	if d.Status == asanaauth.Disconnected {
		return c
	}
	c.AttributedTo = newIdentity(d.AttributedTo)
	c.ScopeRequested, c.ScopeGranted = textOrNull(d.ScopeRequested), textOrNull(d.ScopeGranted)
	c.ReaderOf = append([]string{}, d.ReaderOf...)
	c.CreatedAt, c.LastRefreshed = timeOrNull(d.CreatedAt), timeOrNull(d.LastRefreshed)
	c.BrokenAt, c.ExpiresAt = timeOrNull(d.BrokenAt), timeOrNull(d.ExpiresAt)
	return c
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := timestamp(t)
	return &text
}

func (b backendCall) connectionQuery() connection.Query {
	return connection.Query{Owner: b.params["owner"], AsanaUser: b.params["asana_user"]}
}

// list serves GET /connections.
func (b backendCall) list(w http.ResponseWriter, r *http.Request) error {
	wanted := connection.Page{Cursor: b.params["cursor"]}
	if text, ok := b.params["limit"]; ok {
		// ParseUint rejects a sign. List would replace the limit 0 with the default
		// limit, and rejects a limit above 100.
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return invalid("limit must be a whole number from 1 to 100.")
		}
		wanted.Limit = int(n)
	}
	page, next, err := b.Connections.List(r.Context(), b.connectionQuery(), wanted)
	if err != nil {
		return err
	}
	data := make([]Connection, 0, len(page))
	for _, d := range page {
		data = append(data, ConnectionOf(d))
	}
	return respondJSON(w, http.StatusOK, struct {
		Data       []Connection `json:"data"`
		NextCursor *string      `json:"next_cursor"`
	}{data, textOrNull(next)})
}

// disconnectAll serves DELETE /connections. The parameters "limit" and "cursor" are
// rejected, because disconnectAll disconnects every connection that matches the query,
// and not only one page of them.
func (b backendCall) disconnectAll(w http.ResponseWriter, r *http.Request) error {
	if _, err := objectOf(r); err != nil {
		return err
	}
	n, err := b.Connections.DisconnectAll(r.Context(), b.connectionQuery())
	if err != nil {
		return err
	}
	return respondJSON(w, http.StatusAccepted, struct {
		Disconnected int `json:"disconnected"`
		Revoking     int `json:"revoking"`
		Left         int `json:"left"`
	}{n.Disconnected, n.Revoking, n.Left})
}

// show serves GET /connections/{id}.
func (b backendCall) show(w http.ResponseWriter, r *http.Request) error {
	conn, err := b.open(r)
	if err != nil {
		return err
	}
	d, err := b.Connections.Describe(r.Context(), conn)
	return respondConnection(w, r, http.StatusOK, d, err)
}

// setReaderOf serves PATCH /connections/{id}.
func (b backendCall) setReaderOf(w http.ResponseWriter, r *http.Request) error {
	m, err := objectOf(r, "reader_of", "replace")
	if err != nil {
		return err
	}
	raw, ok := m["reader_of"]
	var workspaces []*string // pointers, to reject null
	if !ok || json.Unmarshal(raw, &workspaces) != nil {
		return errReaderOf()
	}
	gids := make([]string, len(workspaces))
	for i, gid := range workspaces {
		if gid == nil {
			return errReaderOf()
		}
		gids[i] = *gid
	}
	replace, err := m.flag("replace")
	if err != nil {
		return err
	}
	conn, err := b.open(r)
	if err != nil {
		return err
	}
	d, err := b.Memberships.SetReaderOf(r.Context(), conn, gids, replace)
	return respondConnection(w, r, http.StatusOK, d, err)
}

func errReaderOf() error { return invalid("reader_of must be a list of workspace gids.") }

// disconnect serves DELETE /connections/{id}.
func (b backendCall) disconnect(w http.ResponseWriter, r *http.Request) error {
	if _, err := objectOf(r); err != nil {
		return err
	}
	conn, err := b.open(r)
	if err != nil {
		return err
	}
	d, err := b.Connections.Disconnect(r.Context(), conn)
	if err != nil {
		return err
	}
	return respondDisconnected(w, d)
}

// endSessions serves DELETE /connections/{id}/sessions.
func (b backendCall) endSessions(w http.ResponseWriter, r *http.Request) error {
	if _, err := objectOf(r); err != nil {
		return err
	}
	conn, err := b.open(r)
	if err != nil {
		return err
	}
	if err := b.Connections.EndSessions(r.Context(), conn); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
