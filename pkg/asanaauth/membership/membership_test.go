package membership_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestCanWrite(t *testing.T) {
	t.Parallel()
	yes, no := membership.Flag{Known: true, Value: true}, membership.Flag{Known: true}
	viewUnknown, activeUnknown := membership.Flag{Unknown: "why not view"}, membership.Flag{Unknown: "why not active"}
	for _, c := range []struct{ viewOnly, active, want membership.Flag }{
		{yes, yes, no}, {yes, no, no}, {yes, activeUnknown, no},
		{no, yes, yes}, {no, no, no}, {no, activeUnknown, activeUnknown},
		{viewUnknown, yes, viewUnknown}, {viewUnknown, no, no}, {viewUnknown, activeUnknown, viewUnknown},
	} {
		if got := (membership.Membership{ViewOnly: c.viewOnly, Active: c.active}).CanWrite(); got != c.want {
			t.Errorf("view only %+v, active %+v: %+v, want %+v", c.viewOnly, c.active, got, c.want)
		}
	}
}

// If Asana reports a flag for the person's own token, but not for the reader's token, the
// flag stays known.
func TestAReaderRemovesNothing(t *testing.T) {
	t.Parallel()
	body := func(flags string) string {
		return `{"data":[{"gid":"1","user":{"gid":"` + asanatest.Member + `"},"workspace":{"gid":"` + asanatest.Acme + `"}` + flags + `}]}`
	}
	for name, c := range map[string]struct{ own, reader, want, with string }{
		"it knows what is missing": {`,"is_active":true`, `,"is_active":true,"is_view_only":true`,
			"Acme: active y, admin not-reported, guest not-reported, view only y, can write n", "reader"},
		"it knows less of the rest": {`,"is_view_only":true,"is_guest":true`, `,"is_active":true,"is_admin":false`,
			"Acme: active y, admin n, guest y, view only y, can write n", "reader"},
		"it knows better": {`,"is_active":true,"is_guest":true`, `,"is_active":false,"is_guest":false`,
			"Acme: active n, admin not-reported, guest n, view only not-reported, can write n", "reader"},
		"it knows nothing": {`,"is_active":true`, ``,
			"Acme: active y, admin not-reported, guest not-reported, view only not-reported, can write not-reported", "connection"},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst, p := granular(t)
				cookie := p.SignIn(asanatest.Member)
				importReader(p, "it", asanatest.Acme)
				path := authtest.MembershipsPath(asanatest.Member)
				inst.Asana.Inject(asanatest.Fault{Path: path, Body: body(c.own)})
				inst.Asana.Inject(asanatest.Fault{Path: path, Body: body(c.reader)})
				if m := mustMembers(p, cookie)[0]; flags(m) != c.want || m.AskedWith != c.with {
					t.Errorf("got %s, asked with %s", flags(m), m.AskedWith)
				}
			})
		})
	}
}

// If some flags of a membership come from the response to the person's own token, and
// others from the response to the reader's token, CheckedAt is the time of the older
// response.
func TestACombinedMembershipIsAsOldAsItsParts(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		cookie := p.SignIn(asanatest.Member)
		path := authtest.MembershipsPath(asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: path, Body: `{"data":[{"gid":"1","user":{"gid":"` + asanatest.Member + `"},"workspace":{"gid":"` + asanatest.Acme + `"},"is_guest":true}]}`})
		mustMembers(p, cookie)
		asked := time.Now()
		time.Sleep(time.Minute)
		importReader(p, "it", asanatest.Acme)
		inst.Asana.Inject(asanatest.Fault{Path: path, Body: `{"data":[{"gid":"1","user":{"gid":"` + asanatest.Member + `"},"workspace":{"gid":"` + asanatest.Acme + `"},"is_active":true,"is_view_only":false}]}`})
		if m := mustMembers(p, cookie)[0]; m.AskedWith != "reader" || !m.Guest.Value || !m.CheckedAt.Equal(asked) {
			t.Errorf("got %+v, want it checked at %v", m, asked)
		}
		cookie = p.SignIn(asanatest.ViewOnly)
		conn := p.Open(authtest.ConnectionOf(cookie))
		inst.Asana.Inject(asanatest.Fault{Path: authtest.MembershipsPath(asanatest.ViewOnly), Status: 403})
		inst.Asana.Inject(asanatest.Fault{Path: authtest.MembershipsPath(asanatest.ViewOnly), Status: 500})
		mustMembers(p, cookie) // the reader fails
		time.Sleep(time.Minute)
		if m, err := p.Memberships.In(t.Context(), conn, asanatest.Acme, ""); err != nil || m.AskedWith != "reader" || !m.CheckedAt.Equal(time.Now()) {
			t.Errorf("all flags from the reader: %+v, %v", m, err)
		}
	})
}
