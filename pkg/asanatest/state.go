package asanatest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const stateFormat = 1

type state struct {
	Format   int               `json:"format"`
	Switches Switches          `json:"switches"`
	Key      []byte            `json:"key,omitempty"` // RSA key that signs ID tokens, in PKCS #1
	Tokens   map[string]*token `json:"tokens"`        // by value
	Codes    map[string]*code  `json:"codes"`         // by value
	Consents map[string]scopes `json:"consents"`      // by consentKey
	SignedIn map[string]string `json:"signed_in"`     // gid by cookie value
	SweepAt  int               `json:"-"`             // sweep does nothing if the state contains fewer tokens and codes
}

const (
	accessToken    = "access"
	refreshToken   = "refresh"
	personalToken  = "personal_access_token"
	serviceAccount = "service_account"
)

// The state keeps expired and revoked tokens until sweep removes them, because Asana treats
// such tokens differently from unknown tokens.
type token struct {
	Kind    string    `json:"kind"`
	Client  string    `json:"client,omitempty"`
	Person  string    `json:"person"`
	Scopes  scopes    `json:"scopes"`
	Family  string    `json:"family,omitempty"` // the same for all tokens of one authorization
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	Used    time.Time `json:"used"`
	Revoked bool      `json:"revoked,omitempty"`
	Rotated bool      `json:"rotated,omitempty"` // revoked by a rotation
}

func (t *token) inForce(now time.Time) bool { return !t.Revoked && now.Before(t.Expires) }

type code struct {
	Client      string    `json:"client"`
	Person      string    `json:"person"`
	RedirectURI string    `json:"redirect_uri"`
	Challenge   string    `json:"challenge,omitempty"`
	Nonce       string    `json:"nonce,omitempty"`
	Scopes      scopes    `json:"scopes"`
	Expires     time.Time `json:"expires"`
	Used        bool      `json:"used,omitempty"`
}

func newState(s Switches) state {
	return state{Format: stateFormat, Switches: s, Tokens: map[string]*token{}, Codes: map[string]*code{},
		Consents: map[string]scopes{}, SignedIn: map[string]string{}, SweepAt: 1024}
}

func consentKey(clientID, gid string) string { return clientID + "/" + gid }

type memory struct {
	state
	file  string   // empty if the state is kept in memory only
	first Switches // switches after reset
	dirty bool     // whether the state differs from the file
}

func (m *memory) load() error {
	if m.file == "" {
		return nil
	}
	data, err := os.ReadFile(m.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("asanatest: reading state: %w", err)
	}
	loaded, err := m.parse(data)
	if err != nil {
		return fmt.Errorf("asanatest: reading state: %s: %w", m.file, err)
	}
	m.state = loaded
	return nil
}

// The errors of parse contain no values of the file, because it contains tokens.
func (m *memory) parse(data []byte) (state, error) {
	loaded := newState(m.first)
	loaded.Format = 0
	err := json.Unmarshal(data, &loaded)
	if _, ok := errors.AsType[*time.ParseError](err); ok {
		err = errors.New("a time is malformed")
	}
	switch {
	case err != nil:
		return state{}, err
	case loaded.Format != stateFormat:
		return state{}, fmt.Errorf("format is %d, want %d", loaded.Format, stateFormat)
	case loaded.hasNull():
		return state{}, errors.New("a value is null")
	}
	if _, err := x509.ParsePKCS1PrivateKey(loaded.Key); err != nil && len(loaded.Key) > 0 {
		return state{}, errors.New("key is malformed")
	}
	return loaded, loaded.Switches.check()
}

// hasNull reports whether a map of s, or a token or code in s, is nil.
func (s *state) hasNull() bool {
	for _, t := range s.Tokens {
		if t == nil {
			return true
		}
	}
	for _, c := range s.Codes {
		if c == nil {
			return true
		}
	}
	return s.Tokens == nil || s.Codes == nil || s.Consents == nil || s.SignedIn == nil
}

// save replaces the state file atomically. If the process is killed, the file contains
// either the old or the new state.
func (m *memory) save() error {
	m.dirty = false
	if m.file == "" {
		return nil
	}
	data, err := json.Marshal(m.state)
	if err != nil {
		return fmt.Errorf("asanatest: saving state: %w", err)
	}
	if err := replaceFile(m.file, data); err != nil {
		return fmt.Errorf("asanatest: saving state: %w", err)
	}
	return nil
}

// reset deletes everything except the signing key, and sets the switches to
// [Options.Switches].
func (m *memory) reset() error {
	key := m.Key
	m.state = newState(m.first)
	m.Key = key
	return m.save()
}

// If setSwitches returns an error, the switches have not changed.
func (m *memory) setSwitches(change func(Switches) (Switches, error)) error {
	before := m.Switches
	after, err := change(before)
	if err != nil {
		return fmt.Errorf("asanatest: %w", err)
	}
	m.Switches = after
	if err := m.save(); err != nil {
		m.Switches = before
		return err
	}
	return nil
}

func replaceFile(name string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// sweep limits the memory that long simulations use. If the state contains at least
// SweepAt tokens and codes, sweep removes tokens and codes that expired more than a day
// ago, and revoked tokens that were issued more than a day ago.
func (s *state) sweep(now time.Time) {
	if len(s.Tokens)+len(s.Codes) < s.SweepAt {
		return
	}
	old := now.Add(-24 * time.Hour)
	for value, t := range s.Tokens {
		if t.Expires.Before(old) || t.Revoked && t.Issued.Before(old) {
			delete(s.Tokens, value)
		}
	}
	for value, c := range s.Codes {
		if c.Expires.Before(old) {
			delete(s.Codes, value)
		}
	}
	s.SweepAt = 1024 + 2*(len(s.Tokens)+len(s.Codes))
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
