package store

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Hot holds the part of a connection that a refresh changes: tokens, status and lease.
// With tokens of the length that Asana issues today, the row is smaller than 1 KB, so
// each write costs one write unit in DynamoDB. A refresh writes the row twice: to take
// the lease, and to store the result.
type Hot struct {
	Head
	Connection string // connection ID
	Kind       string // an asanaauth.Kind
	AsanaGID   string // gid of the Asana user
	Owner      Hash   // hash of the backend's name for the owner
	ClientID   string // client ID of the app that the grant was issued to
	Epoch      string // 64 random bits, chosen at the first consent and at each disconnect
	Generation int64  // number of consents
	Grant      int64  // counter; storing new tokens, a consent and a disconnect each add 1
	Status     string // an asanaauth.Status
	Reason     string // why Status is broken, such as asanaauth.ReasonInvalidGrant

	Lease        string    // random ID of the current refresh; empty if no refresh is running
	LeaseEnd     time.Time // expiry of the lease, according to the clock of the lease holder
	DoubtedGrant int64     // value of Grant for which Asana may have replaced or ended the refresh token, and no process has stored the new one; 0: none
	Rotates      bool      // whether a refresh has shown that Asana replaces refresh tokens
	CoolUntil    time.Time // end of the cool-down: no token request and no revocation is sent before this time

	Access  secret.Sealed // access token
	Refresh secret.Sealed // refresh token, or the long-lived token if Kind is not oauth
	Issued  time.Time     // when the access token was issued
	Expires time.Time     // when the access token expires; zero if Asana gave no expiry

	LastRefreshed time.Time
	BrokenAt      time.Time
	RefusedGrant  int64     // value of Grant of an access token that is no longer returned, because Asana rejected it
	RefusedAt     time.Time // when a report that Asana rejected the token last caused a refresh, or an introspection of a long-lived token
	CheckedAt     time.Time // when the last introspection of a reported OAuth token began
	CheckedGrant  int64     // value of Grant in that introspection; zero until Asana has responded
	End           time.Time // expiry of the row after the connection was disconnected
}

// Key implements [Row].
func (r *Hot) Key() Key    { return HotKey(r.Connection) }
func (*Hot) format() int64 { return 1 }

func (r *Hot) fields(c *codec) {
	c.text("connection", &r.Connection)
	c.text("kind", &r.Kind)
	c.text("gid", &r.AsanaGID)
	c.hash("owner", &r.Owner)
	c.text("client_id", &r.ClientID)
	c.text("epoch", &r.Epoch)
	c.number("generation", &r.Generation)
	c.number("grant", &r.Grant)
	c.text("status", &r.Status)
	c.text("reason", &r.Reason)
	c.text("lease", &r.Lease)
	c.time("lease_end", &r.LeaseEnd)
	c.number("doubted", &r.DoubtedGrant)
	c.flag("rotates", &r.Rotates)
	c.time("cool_until", &r.CoolUntil)
	c.sealed("access", &r.Access)
	c.sealed("refresh", &r.Refresh)
	c.time("issued", &r.Issued)
	c.time("expires", &r.Expires)
	c.time("refreshed", &r.LastRefreshed)
	c.time("broken_at", &r.BrokenAt)
	c.number("refused", &r.RefusedGrant)
	c.time("refused_at", &r.RefusedAt)
	c.time("checked_at", &r.CheckedAt)
	c.number("checked", &r.CheckedGrant)
	c.time("end", &r.End)
	c.ttl(r.End)
}

// Cold holds the part of a connection that a consent or an import changes.
type Cold struct {
	Head
	Connection     string // connection ID
	Generation     int64  // number of consents; equals Generation of the hot row
	ScopeRequested string // separated by spaces
	ScopeGranted   string // separated by spaces; empty if Asana did not report the scopes
	ReaderOf       string // gids of the workspaces that the service account reads, separated by spaces
	Imported       Hash   // [ImportHash] of the imported credential, the key of its [ImportPointer]; zero after a consent
	Created        time.Time
	Updated        time.Time

	OwnerName secret.Sealed // the backend's name for the owner
	Name      secret.Sealed // the Asana user's name
	Email     secret.Sealed // the Asana user's email address
	Picture   secret.Sealed // URL of the Asana user's photo
}

// Key implements [Row].
func (r *Cold) Key() Key    { return ColdKey(r.Connection) }
func (*Cold) format() int64 { return 1 }

func (r *Cold) fields(c *codec) {
	c.text("connection", &r.Connection)
	c.number("generation", &r.Generation)
	c.text("scope_requested", &r.ScopeRequested)
	c.text("scope_granted", &r.ScopeGranted)
	c.text("reader_of", &r.ReaderOf)
	c.hash("imported", &r.Imported)
	c.time("created", &r.Created)
	c.time("updated", &r.Updated)
	c.sealed("owner_name", &r.OwnerName)
	c.sealed("name", &r.Name)
	c.sealed("email", &r.Email)
	c.sealed("picture", &r.Picture)
}
