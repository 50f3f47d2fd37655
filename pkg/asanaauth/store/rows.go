package store

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// The prefixes of partition keys, so that a function's permission can be held
// to its own rows (dynamodb:LeadingKeys): a# attempts, s# sessions, c#
// connections, u# pointers by Asana user, k# the keyring, l# links, x# session
// codes, w# pointers by workspace to its reader.

// Attempt is one trip to Asana and back, format 1.
type Attempt struct {
	Head
	State       Hash   // of the URL's state: the row's key
	Browser     Hash   // of the secret in the browser's cookie
	Salt        []byte // for the verifier and the nonce
	ReturnURL   string
	AppState    string
	Scopes      string // asked for, space-separated
	RedirectURI string
	Link        Hash // key of the link that the trip began with; zero for none
	End         time.Time
	Taken       bool // a spent marker: only the hashes and the end are left
}

// Key implements [Row].
func (r *Attempt) Key() Key    { return AttemptKey(r.State) }
func (*Attempt) format() int64 { return 1 }

// AttemptKey is the key of the attempt whose state has this hash.
func AttemptKey(state Hash) Key { return Key{"a#" + state.String(), "attempt"} }

func (r *Attempt) fields(c *codec) {
	c.hash("state", &r.State)
	c.hash("browser", &r.Browser)
	c.bytes("salt", &r.Salt)
	c.text("return_url", &r.ReturnURL)
	c.text("app_state", &r.AppState)
	c.text("scopes", &r.Scopes)
	c.text("redirect_uri", &r.RedirectURI)
	c.hash("link", &r.Link)
	c.time("end", &r.End)
	c.flag("taken", &r.Taken)
	c.ttl(r.End)
}

// Session is a browser signed in to one connection, format 1.
type Session struct {
	Head
	Cookie     Hash // of the whole cookie value: the row's key
	Connection string
	Epoch      string
	Start, End time.Time
	IdleTTL    time.Duration
	IdleEnd    time.Time
	Proof      secret.Sealed // its associated data names all of the above
}

// Key implements [Row].
func (r *Session) Key() Key    { return SessionKey(r.Cookie) }
func (*Session) format() int64 { return 1 }

// SessionKey is the key of the session whose cookie value has this hash.
func SessionKey(cookie Hash) Key { return Key{"s#" + cookie.String(), "session"} }

func (r *Session) fields(c *codec) {
	c.hash("cookie", &r.Cookie)
	c.text("connection", &r.Connection)
	c.text("epoch", &r.Epoch)
	c.time("start", &r.Start)
	c.time("end", &r.End)
	c.duration("idle_ttl", &r.IdleTTL)
	c.time("idle_end", &r.IdleEnd)
	c.sealed("proof", &r.Proof)
	c.ttl(r.End)
}

// UserPointer finds the connections of an Asana user, format 1.
type UserPointer struct {
	Head
	User       Hash // of the gid: the row's partition
	Connection string
	Kind       string // an asanaauth.Kind
}

// Key implements [Row].
func (r *UserPointer) Key() Key    { return Key{UserPartition(r.User), r.Connection} }
func (*UserPointer) format() int64 { return 1 }

// UserPartition is where the pointers of an Asana user are listed.
func UserPartition(user Hash) string { return "u#" + user.String() }

func (r *UserPointer) fields(c *codec) {
	c.hash("user", &r.User)
	c.text("connection", &r.Connection)
	c.text("kind", &r.Kind)
}

// Keyring is the one row of all data keys, format 1.
type Keyring struct {
	Head
	Wrapped []byte // by the KMS key
	KMSKey  string // that wrapped it, as KMS names it
}

// KeyringKey is the key of the keyring's row.
var KeyringKey = Key{"k#keyring", "keyring"}

// Key implements [Row].
func (*Keyring) Key() Key      { return KeyringKey }
func (*Keyring) format() int64 { return 1 }

func (r *Keyring) fields(c *codec) {
	c.bytes("wrapped", &r.Wrapped)
	c.text("kms_key", &r.KMSKey)
}
