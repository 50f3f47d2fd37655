package store

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Link is an invitation made by a backend for one of its owners, format 1. What
// Asana answered to who followed it is held here, sealed, until the backend says
// whose it is.
type Link struct {
	Head
	Token     Hash      // of the URL's link: the row's key
	Owner     Hash      // of the owner's name
	Person    Hash      // of the name of who is signed in at the backend; zero where none was named
	ReturnURL string    // where the browser goes in the end
	Scopes    string    // to ask for, space-separated
	AsanaGID  string    // of the only Asana user that is taken; empty for any
	End       time.Time // of the link; a held answer has an end of its own
	Spent     bool      // a connection was made of it

	Code    Hash          // of the secret half of the code under which an answer is held; zero for none
	CodeEnd time.Time     // of the held answer
	Held    secret.Sealed // the answer: its associated data names owner, person, code and its end
	Keep    time.Time     // the latest time at which the row may still be of use
}

// Key implements [Row].
func (r *Link) Key() Key    { return LinkKey(r.Token) }
func (*Link) format() int64 { return 1 }

// LinkKey is the key of the link whose token has this hash.
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

// SessionCode tells a backend, once, who is signed in to a session, format 1.
type SessionCode struct {
	Head
	Code       Hash // of the whole code: the row's key
	Session    Hash // of the session's cookie value
	Connection string
	Epoch      string
	End        time.Time
	Proof      secret.Sealed // its associated data names all of the above
	Spent      bool          // a marker, of which hash and end are left
}

// Key implements [Row].
func (r *SessionCode) Key() Key    { return SessionCodeKey(r.Code) }
func (*SessionCode) format() int64 { return 1 }

// SessionCodeKey is the key of the session code that has this hash.
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

// Reader names the service account that is asked about people's memberships in a
// workspace, format 1. A workspace has one at most.
type Reader struct {
	Head
	Workspace  Hash // of the gid: the row's key
	Connection string
}

// Key implements [Row].
func (r *Reader) Key() Key    { return ReaderKey(r.Workspace) }
func (*Reader) format() int64 { return 1 }

// ReaderKey is the key of the reader of the workspace whose gid has this hash.
func ReaderKey(workspace Hash) Key { return Key{"w#" + workspace.String(), "reader"} }

func (r *Reader) fields(c *codec) {
	c.hash("workspace", &r.Workspace)
	c.text("connection", &r.Connection)
}
