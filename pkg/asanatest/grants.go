package asanatest

import (
	"fmt"
	"strings"
	"time"
)

// tenYears is the lifetime of refresh tokens and long-lived tokens. In Asana's
// documentation, the example of an introspection response shows this lifetime.
const tenYears = 10 * 365 * 24 * time.Hour

type grants struct {
	memory    *memory
	directory *directory
	now       func() time.Time
}

func (g *grants) issue(t token) (value string) {
	now := g.now()
	t.Issued, t.Used = now, now
	switch t.Kind {
	case accessToken:
		t.Expires = now.Add(time.Duration(g.memory.Switches.AccessTokenSeconds) * time.Second)
	default:
		t.Expires = now.Add(tenYears)
	}
	value = g.tokenValue(t.Person)
	g.memory.sweep(now)
	g.memory.Tokens[value] = &t
	g.memory.dirty = true
	return value
}

func (g *grants) tokenValue(gid string) string {
	if size := g.memory.Switches.TokenSize; size > 0 {
		return randomHex((size + 1) / 2)[:size]
	}
	return fmt.Sprintf("2/%s/%s:%s", gid, derivedGID("token", randomHex(8)), randomHex(16))
}

// issueAndSave returns the value of a new token, or "" if the state file cannot be
// written.
func (g *grants) issueAndSave(t token) string {
	value := g.issue(t)
	if g.memory.save() != nil {
		delete(g.memory.Tokens, value)
		return ""
	}
	return value
}

// longLived issues a token that does not belong to an app. If forAccount is true, gid
// must belong to a service account, and otherwise to a person. For any other gid, or if
// the state file cannot be written, longLived returns "".
func (g *grants) longLived(gid, kind string, forAccount bool) string {
	p := g.directory.person(gid)
	if p == nil || p.ServiceAccount != forAccount {
		return ""
	}
	return g.issueAndSave(token{Kind: kind, Person: gid, Scopes: scopes{"default"}})
}

// consentAndIssue records that a person consented to all scopes of an app, and issues a
// refresh token. The result is "" if the app or the person is unknown, or if the state
// file cannot be written.
func (g *grants) consentAndIssue(clientID, gid string) string {
	app, p := g.directory.app(clientID), g.directory.person(gid)
	if app == nil || p == nil || p.ServiceAccount {
		return ""
	}
	granted := parseScopes(strings.Join(app.Scopes, " "))
	g.memory.Consents[consentKey(clientID, gid)] = granted
	return g.issueAndSave(token{Kind: refreshToken, Client: clientID, Person: gid, Scopes: granted, Family: randomHex(8)})
}

// find returns the token with this value. The result is nil if the token is unknown,
// expired or revoked, or if the person's account was deleted.
func (g *grants) find(value string) *token {
	t := g.memory.Tokens[value]
	if t == nil || !t.inForce(g.now()) {
		return nil
	}
	if p := g.directory.person(t.Person); p == nil || p.Gone {
		return nil
	}
	if idle := g.memory.Switches.RefreshTokenIdleSeconds; t.Kind == refreshToken && idle > 0 && g.now().Sub(t.Used) > time.Duration(idle)*time.Second {
		return nil
	}
	return t
}

func (g *grants) expire() {
	now := g.now()
	for _, t := range g.memory.Tokens {
		if t.Kind == accessToken && now.Before(t.Expires) {
			t.Expires = now
		}
	}
}

func (g *grants) revokeTokens(match func(*token) bool) {
	for _, t := range g.memory.Tokens {
		if !t.Revoked && match(t) {
			t.Revoked = true
		}
	}
	g.memory.dirty = true
}

// revokeGrant removes a person's consent to an app, and revokes all tokens and codes that
// the app received for the person.
func (g *grants) revokeGrant(clientID, gid string) {
	delete(g.memory.Consents, consentKey(clientID, gid))
	for _, c := range g.memory.Codes {
		if c.Client == clientID && c.Person == gid {
			c.Used = true
		}
	}
	g.revokeTokens(func(t *token) bool { return t.Client == clientID && t.Person == gid })
}

// revokeAll revokes the grants of the person with this gid, or of every person if gid is
// "".
func (g *grants) revokeAll(gid string) {
	for _, app := range g.directory.apps {
		for _, p := range g.directory.people {
			if gid == "" || p.GID == gid {
				g.revokeGrant(app.ClientID, p.GID)
			}
		}
	}
}

// PersonalAccessToken creates a personal access token for a person. In the real Asana,
// people create such tokens in the developer console. PersonalAccessToken returns "" if
// the person is unknown or if the state file cannot be written.
func (a *Asana) PersonalAccessToken(personGID string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants.longLived(personGID, personalToken, false)
}

// ServiceAccountToken creates a token for a service account. The result is "" if the
// service account is unknown or if the state file cannot be written.
func (a *Asana) ServiceAccountToken(gid string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants.longLived(gid, serviceAccount, true)
}

// RefreshToken creates a refresh token for an app, as if the person had consented to all
// scopes of the app. The result is "" if the app or the person is unknown, or if the
// state file cannot be written.
func (a *Asana) RefreshToken(clientID, personGID string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants.consentAndIssue(clientID, personGID)
}

// ExpireAccessTokens makes all OAuth access tokens expire now. The API rejects expired
// tokens with status 401. ExpireAccessTokens returns an error if the state file cannot be
// written.
func (a *Asana) ExpireAccessTokens() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants.expire()
	return a.memory.save()
}

// RevokeGrants removes a person's consents and revokes the person's OAuth tokens, as if
// the person had deauthorized every app in Asana's settings. If personGID is "",
// RevokeGrants applies to all people. RevokeGrants returns an error if the state file
// cannot be written.
func (a *Asana) RevokeGrants(personGID string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants.revokeAll(personGID)
	return a.memory.save()
}

// RevokeToken revokes one token of any kind, as if the token had been deleted in Asana.
// If the token is unknown, RevokeToken does nothing. If the state file cannot be written,
// RevokeToken returns an error.
func (a *Asana) RevokeToken(value string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.memory.Tokens[value]; t != nil {
		t.Revoked = true
	}
	return a.memory.save()
}
