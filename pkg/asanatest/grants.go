package asanatest

import (
	"fmt"
	"strings"
	"time"
)

// tenYears is the life of tokens that have no expiry of their own: the expiry
// in Asana's introspection example.
const tenYears = 10 * 365 * 24 * time.Hour

// grants gives tokens to people and apps, finds them and ends them.
type grants struct {
	memory    *memory
	directory *directory
	now       func() time.Time
}

// issue makes a token and keeps it.
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

// tokenValue makes a value in the shape of real tokens, or of the size that the
// switch asks for.
func (g *grants) tokenValue(gid string) string {
	if size := g.memory.Switches.TokenSize; size > 0 {
		return randomHex((size + 1) / 2)[:size]
	}
	return fmt.Sprintf("2/%s/%s:%s", gid, derivedGID("token", randomHex(8)), randomHex(16))
}

// keep issues a token and saves it. It returns "" if the state file cannot be
// written.
func (g *grants) keep(t token) string {
	value := g.issue(t)
	if g.memory.save() != nil {
		delete(g.memory.Tokens, value)
		return ""
	}
	return value
}

// longLived keeps a token that belongs to no app. It returns "" if there is no
// such person, or service account if forAccount is set.
func (g *grants) longLived(gid, kind string, forAccount bool) string {
	p := g.directory.person(gid)
	if p == nil || p.ServiceAccount != forAccount {
		return ""
	}
	return g.keep(token{Kind: kind, Person: gid, Scopes: scopes{"default"}})
}

// held consents to all scopes of an app and keeps a refresh token for it. It
// returns "" if there is no such app or person.
func (g *grants) held(clientID, gid string) string {
	app, p := g.directory.app(clientID), g.directory.person(gid)
	if app == nil || p == nil || p.ServiceAccount {
		return ""
	}
	granted := parseScopes(strings.Join(app.Scopes, " "))
	g.memory.Consents[consentKey(clientID, gid)] = granted
	return g.keep(token{Kind: refreshToken, Client: clientID, Person: gid, Scopes: granted, Family: randomHex(8)})
}

// find returns a token that is in force and whose person is not gone, or nil.
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

// expire ends the life of all access tokens.
func (g *grants) expire() {
	now := g.now()
	for _, t := range g.memory.Tokens {
		if t.Kind == accessToken && now.Before(t.Expires) {
			t.Expires = now
		}
	}
}

// end revokes every token for which the function returns true.
func (g *grants) end(which func(*token) bool) {
	for _, t := range g.memory.Tokens {
		if !t.Revoked && which(t) {
			t.Revoked = true
		}
	}
	g.memory.dirty = true
}

// endGrant forgets that a person ever authorised an app.
func (g *grants) endGrant(clientID, gid string) {
	delete(g.memory.Consents, consentKey(clientID, gid))
	for _, c := range g.memory.Codes {
		if c.Client == clientID && c.Person == gid {
			c.Used = true
		}
	}
	g.end(func(t *token) bool { return t.Client == clientID && t.Person == gid })
}

// endAll ends the grants of a person, or of all people if gid is "".
func (g *grants) endAll(gid string) {
	for _, app := range g.directory.apps {
		for _, p := range g.directory.people {
			if gid == "" || p.GID == gid {
				g.endGrant(app.ClientID, p.GID)
			}
		}
	}
}

// PersonalAccessToken makes a personal access token of a person, as the person
// can in Asana's developer console. It returns "" if there is no such person,
// or if the state file cannot be written.
func (a *Asana) PersonalAccessToken(personGID string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants.longLived(personGID, personalToken, false)
}

// ServiceAccountToken makes a token of a service account. It returns "" if
// there is no such service account, or if the state file cannot be written.
func (a *Asana) ServiceAccountToken(gid string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants.longLived(gid, serviceAccount, true)
}

// RefreshToken makes a refresh token that an app holds already, as if the
// person had consented to all of its scopes before, somewhere else. It returns
// "" if there is no such app or person, or if the state file cannot be written.
func (a *Asana) RefreshToken(clientID, personGID string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grants.held(clientID, personGID)
}

// ExpireAccessTokens ends all OAuth access tokens, as an hour of waiting would.
// The API returns 401 for them from now on.
func (a *Asana) ExpireAccessTokens() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants.expire()
	return a.memory.save()
}

// RevokeGrants ends the consents and the OAuth tokens of a person, as if the
// person had deauthorised every app in Asana's settings. If personGID is "",
// it does so for all people.
func (a *Asana) RevokeGrants(personGID string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grants.endAll(personGID)
	return a.memory.save()
}

// RevokeToken ends one token of any kind, as if it had been reset in Asana. It
// does nothing if the token is unknown.
func (a *Asana) RevokeToken(value string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.memory.Tokens[value]; t != nil {
		t.Revoked = true
	}
	return a.memory.save()
}
