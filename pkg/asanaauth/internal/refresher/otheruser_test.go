package refresher_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func unsignedIDToken(payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(payload)) + ".c2ln"
}

// respondToRefresh makes Asana respond to the next refresh request with a rotated refresh
// token and these members.
func respondToRefresh(inst *authtest.Installation, members string) {
	inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant,
		Body: `{"access_token":"new","refresh_token":"rotated","token_type":"bearer","expires_in":3600,` + members + `}`})
}

// A response that names a different Asana user must not be saved, because the person would
// then act as that user.
func TestARefreshThatNamesAnotherUserIsNotSaved(t *testing.T) {
	for name, members := range map[string]string{
		"data":     `"data":{"gid":"` + asanatest.Guest + `"}`,
		"ID token": `"id_token":"` + unsignedIDToken(`{"sub":"`+asanatest.Guest+`"}`) + `"`,
		"ID token, and data of the right user": `"data":{"gid":"` + asanatest.Member + `"},"id_token":"` +
			unsignedIDToken(`{"sub":"`+asanatest.Guest+`"}`) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(asanatest.Member)
				old := inst.Process().MustToken(cookie, 0)
				time.Sleep(58 * time.Minute)
				before := inst.Rows.Hot(cookie.Reveal())
				respondToRefresh(inst, members)
				if got := inst.Process().MustToken(cookie, someTTL); !got.Access.Equal(old.Access) {
					t.Error("got another token than the old one, which is still valid")
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmOtherUser), 1)
				hot := inst.Rows.Hot(cookie.Reveal())
				if hot.Grant != 1 || string(hot.Refresh) != string(before.Refresh) || hot.Lease != "" || !hot.CoolUntil.After(time.Now()) || hot.DoubtedGrant != 1 {
					t.Errorf("got grant %d, lease %q, cool-down until %v, doubted grant %d", hot.Grant, hot.Lease, hot.CoolUntil, hot.DoubtedGrant)
				}
				time.Sleep(5 * time.Minute)
				respondToRefresh(inst, members)
				_, err := inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
			})
		})
	}
}

func TestARefreshThatNamesTheSameUserOrNoneIsSaved(t *testing.T) {
	for name, members := range map[string]string{
		"data and ID token":      `"data":{"gid":"` + asanatest.Member + `"},"id_token":"` + unsignedIDToken(`{"sub":"`+asanatest.Member+`"}`) + `"`,
		"subject is not a gid":   `"id_token":"` + unsignedIDToken(`{"sub":"a1b2"}`) + `"`,
		"subject in other case":  `"id_token":"` + unsignedIDToken(`{"Sub":"`+asanatest.Guest+`"}`) + `"`,
		"no subject":             `"id_token":"` + unsignedIDToken(`{}`) + `"`,
		"ID token is not a JWT":  `"id_token":"a.b"`,
		"payload is not JSON":    `"id_token":"` + unsignedIDToken(`sub`) + `"`,
		"payload is a list":      `"id_token":"` + unsignedIDToken(`["sub"]`) + `"`,
		"gid in data is not one": `"data":{"gid":"me"}`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(asanatest.Member)
				inst.Expire()
				respondToRefresh(inst, members)
				if got := inst.Process().MustToken(cookie, 0); got.Access.Reveal() != "new" {
					t.Error("got another token than the new one")
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("level", "ERROR"), 0)
			})
		})
	}
}
