package store

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// The partition key of a row begins with a prefix. IAM policies use these prefixes to
// limit each Lambda function to the rows that it needs (condition key
// dynamodb:LeadingKeys). The prefixes are a# for attempts, s# for sessions, c# for the
// hot and cold rows of connections, u# for user pointers, i# for import pointers, k# for
// the keyring, l# for links, x# for session codes and w# for readers.

// Attempt stores the data of one authorization request, and how the request ended. The
// row is written before the browser is redirected to Asana. The callback reads the row,
// and writes to it twice: when it begins to use the attempt, and when it has finished.
type Attempt struct {
	Head
	State       Hash   // hash of the state parameter; the row's key
	Browser     Hash   // hash of the secret in the browser's cookie
	Salt        []byte // random; the attempt's secrets are derived from it and the browser's secret
	ReturnURL   string // URL to which the callback redirects
	AppState    string // value from the app, which the callback passes to ReturnURL unchanged
	Scopes      string // requested scopes, separated by spaces
	RedirectURI string // redirect_uri that was sent to Asana
	Link        Hash   // hash of the link's token; zero if no link was used
	Session     Hash   // hash of the session's cookie that the browser had; zero if it had none
	End         time.Time
	Taker       string // random ID of the callback that uses the attempt; empty if the attempt is unused
	Outcome     string // "connected", or the kind of the error; empty until that callback has finished
	Connection  string // connection ID of the session that the attempt began; empty if it used a link
}

// Key implements [Row].
func (r *Attempt) Key() Key    { return AttemptKey(r.State) }
func (*Attempt) format() int64 { return 1 }

// AttemptKey returns the key of the attempt whose state parameter has this hash.
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
	c.hash("session", &r.Session)
	c.time("end", &r.End)
	c.text("taker", &r.Taker)
	c.text("outcome", &r.Outcome)
	c.text("connection", &r.Connection)
	c.ttl(r.End)
}

// Session stores a browser session, which gives access to one connection.
type Session struct {
	Head
	Cookie     Hash   // hash of the whole cookie value; the row's key
	Connection string // connection ID
	Epoch      string // Hot.Epoch of the connection when the session began
	Start, End time.Time
	IdleTTL    time.Duration
	IdleEnd    time.Time     // the session expires at this time if it is not used before
	Proof      secret.Sealed // sealed; its associated data contains the fields above
}

// Key implements [Row].
func (r *Session) Key() Key    { return SessionKey(r.Cookie) }
func (*Session) format() int64 { return 1 }

// SessionKey returns the key of the session whose cookie value has this hash.
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

// UserPointer points from an Asana user to one of the user's connections.
type UserPointer struct {
	Head
	User       Hash   // hash of the user's gid; the row's partition
	Connection string // connection ID
	Kind       string // an asanaauth.Kind
}

// Key implements [Row].
func (r *UserPointer) Key() Key    { return Key{UserPartition(r.User), r.Connection} }
func (*UserPointer) format() int64 { return 1 }

// UserPartition returns the partition key of the pointers for the Asana user whose gid
// has this hash.
func UserPartition(user Hash) string { return "u#" + user.String() }

func (r *UserPointer) fields(c *codec) {
	c.hash("user", &r.User)
	c.text("connection", &r.Connection)
	c.text("kind", &r.Kind)
}

// ImportPointer points from an imported credential of an owner to its connection, so that
// a repeated import is recognized with one read.
type ImportPointer struct {
	Head
	Credential Hash   // see ImportHash; the row's key
	Connection string // connection ID
}

// Key implements [Row].
func (r *ImportPointer) Key() Key    { return ImportKey(r.Credential) }
func (*ImportPointer) format() int64 { return 1 }

// ImportKey returns the key of the [ImportPointer] for the credential with this
// [ImportHash].
func ImportKey(credential Hash) Key { return Key{"i#" + credential.String(), "import"} }

// ImportHash returns the hash that identifies an imported credential of an owner. The
// argument owner is the hash of the backend's name for the owner. The same credential has
// different hashes for different owners.
func ImportHash(owner Hash, credential string) Hash { return HashOf(string(owner[:]), credential) }

func (r *ImportPointer) fields(c *codec) {
	c.hash("credential", &r.Credential)
	c.text("connection", &r.Connection)
}

// Keyring holds all data keys. Each table has one keyring row.
type Keyring struct {
	Head
	Wrapped []byte // the data keys, encrypted by the KMS key
	KMSKey  string // ID of the KMS key, as KMS returned it
}

// KeyringKey is the key of the keyring row.
var KeyringKey = Key{"k#keyring", "keyring"}

// Key implements [Row].
func (*Keyring) Key() Key      { return KeyringKey }
func (*Keyring) format() int64 { return 1 }

func (r *Keyring) fields(c *codec) {
	c.bytes("wrapped", &r.Wrapped)
	c.text("kms_key", &r.KMSKey)
}
