package store

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Hot is the row of a connection that a refresh writes, format 1. It stays
// under 1 KB with the tokens that Asana gives today, so that a refresh costs
// two write units.
type Hot struct {
	Head
	Connection string
	Kind       string // an asanaauth.Kind
	AsanaGID   string
	Owner      Hash   // of the owner's name
	ClientID   string // that the grant was issued to
	Epoch      string // 64 random bits, drawn at the first consent and at each disconnect
	Generation int64  // counts consents
	Grant      int64  // moves with the tokens
	Status     string // an asanaauth.Status
	Reason     string // why the status is broken: asanaauth.ReasonInvalidGrant and so on

	Lease          string    // a random name; empty where nobody refreshes
	LeaseEnd       time.Time // by the clock of the holder
	OutcomeUnknown bool      // a request was sent, or may have been, and its outcome is not known
	CoolUntil      time.Time // no request to Asana before this

	Access  secret.Sealed
	Refresh secret.Sealed
	Issued  time.Time // the access token's
	Expires time.Time // the access token's; zero where Asana told none

	LastRefreshed time.Time
	BrokenAt      time.Time
	RefusedGrant  int64     // the grant whose access token Asana answered with 401
	RefusedAt     time.Time // when a caller last said so
	End           time.Time // of a tombstone
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
	c.flag("unsettled", &r.OutcomeUnknown)
	c.time("cool_until", &r.CoolUntil)
	c.sealed("access", &r.Access)
	c.sealed("refresh", &r.Refresh)
	c.time("issued", &r.Issued)
	c.time("expires", &r.Expires)
	c.time("refreshed", &r.LastRefreshed)
	c.time("broken_at", &r.BrokenAt)
	c.number("refused", &r.RefusedGrant)
	c.time("refused_at", &r.RefusedAt)
	c.time("end", &r.End)
	c.ttl(r.End)
}

// Cold is the row of a connection that a consent writes, format 1.
type Cold struct {
	Head
	Connection     string
	Generation     int64
	ScopeRequested string // space-separated
	ScopeGranted   string // what Asana said; empty where it was not asked
	ReaderOf       string // gids of workspaces that a service account is the reader of, space-separated
	Imported       Hash   // of the credential that an import brought, by which it knows itself; zero for a consent
	Created        time.Time
	Updated        time.Time

	OwnerName secret.Sealed
	Name      secret.Sealed
	Email     secret.Sealed
	Picture   secret.Sealed
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
