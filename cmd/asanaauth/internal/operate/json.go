package operate

import (
	"encoding/json"
	"io"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// connection is a connection as the HTTP API's contract has it: what is not known is
// null.
type connection struct {
	ID             string     `json:"id"`
	Kind           store.Kind `json:"kind"`
	Owner          *string    `json:"owner"`
	Status         string     `json:"status"`
	StatusReason   *string    `json:"status_reason"`
	AttributedTo   *identity  `json:"attributed_to"`
	ScopeRequested *string    `json:"scope_requested"`
	ScopeGranted   *string    `json:"scope_granted"`
	ReaderOf       []string   `json:"reader_of"`
	CreatedAt      *time.Time `json:"created_at"`
	UpdatedAt      *time.Time `json:"updated_at"`
	LastRefreshed  *time.Time `json:"last_refreshed_at"`
	BrokenAt       *time.Time `json:"broken_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
}

type identity struct {
	GID   string  `json:"gid"`
	Name  *string `json:"name"`
	Email *string `json:"email"`
}

func connectionJSON(d asanaauth.Details) connection {
	c := connection{
		ID: d.ID, Kind: d.Kind, Status: string(d.Status),
		Owner: text(d.Owner), StatusReason: text(d.StatusReason),
		ScopeRequested: text(d.ScopeRequested), ScopeGranted: text(d.ScopeGranted),
		CreatedAt: moment(d.CreatedAt), UpdatedAt: moment(d.UpdatedAt), LastRefreshed: moment(d.LastRefreshed),
		BrokenAt: moment(d.BrokenAt), ExpiresAt: moment(d.ExpiresAt),
	}
	if d.Status == store.Disconnected {
		return c
	}
	c.AttributedTo = &identity{d.AttributedTo.GID, text(d.AttributedTo.Name.Reveal()), text(d.AttributedTo.Email.Reveal())}
	c.ReaderOf = append([]string{}, d.ReaderOf...)
	return c
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

func writeJSON(w io.Writer, v any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}
