package asanaauth

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Flag is what is known of a yes-or-no question: Asana does not answer every
// token. Unknown is never "no".
type Flag struct {
	Known   bool
	Value   bool   // where known
	Unknown string // why not, where not: one of the reasons below
}

// The reasons of a flag that is not known.
const (
	// FullPermissionsRequired: no granular scope opens the membership endpoints.
	FullPermissionsRequired = "full-permissions-required"
	// NotReported: Asana answered, without this.
	NotReported = "not-reported"
	// NotAllowed: Asana does not let this token ask.
	NotAllowed = "not-allowed"
)

// Membership is a person's place in a workspace, as Asana told it.
type Membership struct {
	Workspace asana.Workspace
	UserGID   string
	UserName  secret.String // zero where not told
	Active    Flag
	Admin     Flag
	Guest     Flag
	ViewOnly  Flag
	AskedWith string // whose token was used: "connection" or "reader"
	CheckedAt time.Time
}

// CanWrite is what the flags say of writing through the API: a view only
// licence cannot (Asana answers 403 view_only_api_access_failure), nor can a
// membership that is not active. Where that is not known, neither is this.
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

// Whose token was used: the connection's own, also where nothing was learnt, or that
// of the service account that is the workspace's reader.
const (
	askedWithConnection = "connection"
	askedWithReader     = "reader"
)

// undecided reports that it is not known whether the person can write.
func (m Membership) undecided() bool { return !m.Active.Known || !m.ViewOnly.Known }

// with is the membership with what a reader told of it: what the reader does not know
// stays as it was known, and is as old as it was. Where nothing was learnt, it is m.
func (m Membership) with(told Membership) Membership {
	got, learnt, kept := m, false, false
	for _, f := range []struct{ to, told *Flag }{
		{&got.Active, &told.Active}, {&got.Admin, &told.Admin}, {&got.Guest, &told.Guest}, {&got.ViewOnly, &told.ViewOnly},
	} {
		learnt = learnt || f.told.Known
		if f.told.Known || !f.to.Known {
			*f.to = *f.told
		} else {
			kept = true
		}
	}
	if !learnt {
		return m
	}
	got.AskedWith = askedWithReader
	if !told.UserName.IsZero() {
		got.UserName = told.UserName
	}
	if !kept || told.CheckedAt.Before(got.CheckedAt) {
		got.CheckedAt = told.CheckedAt
	}
	return got
}

// membershipIn joins what Asana listed of a workspace with what it said of the
// person there: nil, and the reason why, where it said nothing.
func membershipIn(w asana.Workspace, userGID string, told *asana.Membership, why string, now time.Time) Membership {
	m := Membership{Workspace: w, UserGID: userGID, AskedWith: askedWithConnection, CheckedAt: now}
	if told == nil {
		unknown := Flag{Unknown: why}
		m.Active, m.Admin, m.Guest, m.ViewOnly = unknown, unknown, unknown, unknown
		return m
	}
	m.UserName = told.User.Name
	m.Active, m.Admin, m.Guest, m.ViewOnly = flag(told.Active), flag(told.Admin), flag(told.Guest), flag(told.ViewOnly)
	return m
}

func flag(told *bool) Flag {
	if told == nil {
		return Flag{Unknown: NotReported}
	}
	return Flag{Known: true, Value: *told}
}
