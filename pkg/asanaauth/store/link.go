package store

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Link stores a link that a backend created for one of its owners. A person can open the
// link to connect an Asana account. After the person has authorized the app, the row
// holds the person's sealed tokens until the backend redeems the connect code.
type Link struct {
	Head
	Token     Hash      // hash of the link's token; the row's key
	Owner     Hash      // hash of the backend's name for the owner
	Person    Hash      // hash of the backend's name for the person; zero if it named no one
	ReturnURL string    // URL to which the callback redirects
	Scopes    string    // scopes to request, separated by spaces
	AsanaGID  string    // gid of the only Asana user who may connect; empty for any user
	End       time.Time // expiry of the link
	Spent     bool      // the connect code has been redeemed

	Code    Hash          // hash of the secret half of the connect code; zero if Held is empty
	CodeEnd time.Time     // expiry of the connect code
	Held    secret.Sealed // tokens and identity, or the connection ID if Spent; the associated data contains owner, person, code and expiry
	Keep    time.Time     // the row is not needed after this time
}

// Key implements [Row].
func (r *Link) Key() Key    { return LinkKey(r.Token) }
func (*Link) format() int64 { return 1 }

// LinkKey returns the key of the link whose token has this hash.
func LinkKey(token Hash) Key { return Key{"l#" + token.String(), "link"} }

func (r *Link) fields(c *codec) {
	c.hash("token", &r.Token)
	c.hash("owner", &r.Owner)
	c.hash("person", &r.Person)
	c.text("return_url", &r.ReturnURL)
	c.text("scopes", &r.Scopes)
	c.text("gid", &r.AsanaGID)
	c.time("end", &r.End)
	c.flag("spent", &r.Spent)
	c.hash("code", &r.Code)
	c.time("code_end", &r.CodeEnd)
	c.sealed("held", &r.Held)
	c.time("keep", &r.Keep)
	c.ttl(r.Keep)
}

// SessionCode stores the hash of a code that a backend can redeem once to find out who is
// signed in to a session.
type SessionCode struct {
	Head
	Code       Hash   // hash of the whole code; the row's key
	Session    Hash   // hash of the session's cookie value
	Connection string // connection ID
	Epoch      string // Session.Epoch
	End        time.Time
	Proof      secret.Sealed // sealed; its associated data contains the fields above
	Spent      bool          // the code has been redeemed; only Code and End are still set
}

// Key implements [Row].
func (r *SessionCode) Key() Key    { return SessionCodeKey(r.Code) }
func (*SessionCode) format() int64 { return 1 }

// SessionCodeKey returns the key of the row for the session code with this hash.
func SessionCodeKey(code Hash) Key { return Key{"x#" + code.String(), "code"} }

func (r *SessionCode) fields(c *codec) {
	c.hash("code", &r.Code)
	c.hash("session", &r.Session)
	c.text("connection", &r.Connection)
	c.text("epoch", &r.Epoch)
	c.time("end", &r.End)
	c.sealed("proof", &r.Proof)
	c.flag("spent", &r.Spent)
	c.ttl(r.End)
}

// Reader stores which service account reads the memberships of a workspace. A workspace
// has at most one reader.
type Reader struct {
	Head
	Workspace  Hash   // hash of the workspace's gid; the row's key
	Connection string // ID of the service account's connection
}

// Key implements [Row].
func (r *Reader) Key() Key    { return ReaderKey(r.Workspace) }
func (*Reader) format() int64 { return 1 }

// ReaderKey returns the key of the [Reader] row for the workspace whose gid has this
// hash.
func ReaderKey(workspace Hash) Key { return Key{"w#" + workspace.String(), "reader"} }

func (r *Reader) fields(c *codec) {
	c.hash("workspace", &r.Workspace)
	c.text("connection", &r.Connection)
}
