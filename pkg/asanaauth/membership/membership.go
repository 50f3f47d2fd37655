package membership

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Flag is yes, no, or unknown. A flag is unknown if Asana does not report it for the token
// that was used. Do not treat unknown as no.
type Flag struct {
	Known   bool   // whether Asana reported the flag
	Value   bool   // true for yes, false for no; has no meaning if Known is false
	Unknown string // the reason, if Known is false, such as NotReported
}

// The reasons why a flag, or a field of [Capabilities], is unknown.
const (
	// FullPermissionsRequired means that the token has only granular scopes. No granular
	// scope allows requests for memberships.
	FullPermissionsRequired = "full-permissions-required"
	// NotReported means that Asana's response does not contain the value, or contains a
	// malformed one.
	NotReported = "not-reported"
	// NotAllowed means that Asana refuses the request for the value with a 4xx status
	// other than 401, 408, 425 and 429, and that waiting does not help.
	NotAllowed = "not-allowed"
	// ReaderUnavailable means that Asana does not report the value for the connection's
	// own token, and that the request with the reader's token failed, or the reader's
	// connection is broken. A later request may succeed.
	ReaderUnavailable = "reader-unavailable"
	// Inactive means that Asana rejects the credential. Only [Capabilities] uses this
	// reason.
	Inactive = "inactive"
)

// Membership is a user's membership in a workspace, as Asana reported it
// (https://developers.asana.com/reference/workspace-memberships).
type Membership struct {
	Workspace asana.Workspace // gid and name
	UserGID   string          // the member's gid
	UserName  secret.String   // zero if Asana did not report it
	Active    Flag            // is_active: whether the user is still a member
	Admin     Flag            // is_admin
	Guest     Flag            // is_guest
	ViewOnly  Flag            // is_view_only: whether the user has a view-only license
	// AskedWith is "connection" if the connection's own token was used, and "reader" if a
	// service account's token was used.
	AskedWith string
	CheckedAt time.Time // when Asana reported the flags, at most five minutes ago
}

// CanWrite reports whether the user can write through the API. A user with a view-only
// license cannot write: Asana responds with status 403 and the error
// view_only_api_access_failure. A user whose membership is not active cannot write
// either. In all other cases, the result is yes if both ViewOnly and Active are known,
// and unknown otherwise.
func (m Membership) CanWrite() Flag {
	switch {
	case m.ViewOnly.Known && m.ViewOnly.Value, m.Active.Known && !m.Active.Value:
		return Flag{Known: true}
	case !m.ViewOnly.Known:
		return Flag{Unknown: m.ViewOnly.Unknown}
	case !m.Active.Known:
		return Flag{Unknown: m.Active.Unknown}
	}
	return Flag{Known: true, Value: true}
}

// The values of AskedWith.
const (
	askedWithConnection = "connection" // the connection's own token, even if it reported no flag
	askedWithReader     = "reader"     // the token of the service account that is the workspace's reader
)

func (m Membership) isUndecided() bool { return !m.Active.Known || !m.ViewOnly.Known }

// fillFromReader returns a copy of m with the flags in reported, which is the same
// membership as reported for a reader's token. Flags that are known in m, but not in
// reported, stay as they are. If the copy contains known flags from both m and reported,
// its CheckedAt is the older of the two times. If no flag in reported is known,
// fillFromReader returns m unchanged.
func (m Membership) fillFromReader(reported Membership) Membership {
	filled, learned, kept := m, false, false
	for _, f := range []struct{ to, from *Flag }{
		{&filled.Active, &reported.Active}, {&filled.Admin, &reported.Admin},
		{&filled.Guest, &reported.Guest}, {&filled.ViewOnly, &reported.ViewOnly},
	} {
		learned = learned || f.from.Known
		if f.from.Known || !f.to.Known {
			*f.to = *f.from
		} else {
			kept = true
		}
	}
	if !learned {
		return m
	}
	filled.AskedWith = askedWithReader
	if !reported.UserName.IsZero() {
		filled.UserName = reported.UserName
	}
	if !kept || reported.CheckedAt.Before(filled.CheckedAt) {
		filled.CheckedAt = reported.CheckedAt
	}
	return filled
}

// withoutReader returns a copy of m for a workspace whose reader is unavailable. Known
// flags stay as they are.
func (m Membership) withoutReader() Membership {
	for _, f := range []*Flag{&m.Active, &m.Admin, &m.Guest, &m.ViewOnly} {
		if !f.Known {
			f.Unknown = ReaderUnavailable
		}
	}
	return m
}

// membershipIn returns the user's membership in w, with the flags in reported. If
// reported is nil, all flags are unknown, and reason says why.
func membershipIn(w asana.Workspace, userGID string, reported *asana.Membership, reason string, now time.Time) Membership {
	m := Membership{Workspace: w, UserGID: userGID, AskedWith: askedWithConnection, CheckedAt: now}
	if reported == nil {
		unknown := Flag{Unknown: reason}
		m.Active, m.Admin, m.Guest, m.ViewOnly = unknown, unknown, unknown, unknown
		return m
	}
	m.UserName = reported.User.Name
	m.Active, m.Admin = flagOf(reported.Active), flagOf(reported.Admin)
	m.Guest, m.ViewOnly = flagOf(reported.Guest), flagOf(reported.ViewOnly)
	return m
}

func flagOf(reported *bool) Flag {
	if reported == nil {
		return Flag{Unknown: NotReported}
	}
	return Flag{Known: true, Value: *reported}
}
