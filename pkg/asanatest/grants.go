package asanatest

import (
	"fmt"
	"strings"
	"time"
)

// tenYears is how long tokens without an end of their own live: the expiry in
// Asana's introspection example.
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

// tokenValue makes a value in the shape seen in the wild, or of the size that
// the switch asks for.
func (g *grants) tokenValue(gid string) string {
	if size := g.memory.Switches.TokenSize; size > 0 {
		return randomHex((size + 1) / 2)[:size]
	}
	return fmt.Sprintf("2/%s/%s:%s", gid, derivedGID("token", randomHex(8)), randomHex(16))
}

// find returns a token that lives and whose person does.
func (g *grants) find(value string) *token {
	t := g.memory.Tokens[value]
	if t == nil || !t.lives(g.now()) {
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

// end revokes every token that which names.
func (g *grants) end(which func(*token) bool) {
	for _, t := range g.memory.Tokens {
		if !t.Revoked && which(t) {
			t.Revoked = true
		}
	}
	g.memory.dirty = true
}

// keep issues a token and saves it, or gives "".
func (g *grants) keep(t token) string {
	value := g.issue(t)
	if g.memory.save() != nil {
		delete(g.memory.Tokens, value)
		return ""
	}
	return value
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

// PersonalAccessToken makes a personal access token of a person, as if they
// had done so in the developer console. It is empty where there is no such
// person, and where the state file cannot be written.
func (a *Asana) PersonalAccessToken(personGID string) string {
	return a.longLived(personGID, personalToken, false)
}

// ServiceAccountToken makes a token of a service account, empty where there is
// no such service account, and where the state file cannot be written.
func (a *Asana) ServiceAccountToken(gid string) string {
	return a.longLived(gid, serviceAccount, true)
}

// RefreshToken makes a refresh token that an app holds already: as if the person had
// consented to all of its scopes, somewhere else, before. It is empty where there is
// no such app or person, and where the state file cannot be written.
func (a *Asana) RefreshToken(clientID, personGID string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	app, p := a.directory.app(clientID), a.directory.person(personGID)
	if app == nil || p == nil || p.ServiceAccount {
		return ""
	}
	granted := parseScopes(strings.Join(app.Scopes, " "))
	a.memory.Consents[consentKey(clientID, personGID)] = granted
	return a.grants.keep(token{Kind: refreshToken, Client: clientID, Person: personGID, Scopes: granted, Family: randomHex(8)})
}

func (a *Asana) longLived(gid, kind string, forAccount bool) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.directory.person(gid)
	if p == nil || p.ServiceAccount != forAccount {
		return ""
	}
	return a.grants.keep(token{Kind: kind, Person: gid, Scopes: scopes{"default"}})
}

// ExpireAccessTokens ends all OAuth access tokens, as an hour of waiting
// would; the API answers them with 401 from now on.
func (a *Asana) ExpireAccessTokens() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for _, t := range a.memory.Tokens {
		if t.Kind == accessToken && now.Before(t.Expires) {
			t.Expires = now
		}
	}
	return a.memory.save()
}

// RevokeGrants does what a person does who deauthorises every app in Asana's
// settings: consents, refresh and access tokens are gone. With "" it is
// everybody.
func (a *Asana) RevokeGrants(personGID string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, app := range a.directory.apps {
		for _, p := range a.directory.people {
			if personGID == "" || p.GID == personGID {
				a.grants.endGrant(app.ClientID, p.GID)
			}
		}
	}
	return a.memory.save()
}

// RevokeToken ends one token of any kind, as if it had been reset in Asana. An
// unknown one is no error.
func (a *Asana) RevokeToken(value string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.memory.Tokens[value]; t != nil {
		t.Revoked = true
	}
	return a.memory.save()
}
