package row_test

import (
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"a":                      true,
		"Zoë, Ltd.":              true,
		" ":                      true,
		strings.Repeat("a", 256): true,
		strings.Repeat("a", 257): false,
		strings.Repeat("é", 129): false, // bytes count
		"":                       false,
		"a\nb":                   false,
		"a\u0085b":               false, // a control character beyond ASCII
		"a\x00":                  false,
		"\xff":                   false,
	} {
		for check, f := range map[string]func(string) error{
			"CheckOwner": row.CheckOwner, "CheckNewOwner": row.CheckNewOwner, "CheckPerson": row.CheckPerson,
		} {
			want := asanaauth.InvalidRequest
			if valid {
				want = ""
			}
			if got := asanaauth.KindOf(f(name)); got != want {
				t.Errorf("%s(%.10q) = %q, want %q", check, name, got, want)
			}
		}
	}
}

func TestOwnersOfSignInAreReserved(t *testing.T) {
	owner := row.SignInOwner("12")
	if err := row.CheckOwner(owner); err != nil {
		t.Errorf("CheckOwner(%q) = %v", owner, err)
	}
	authtest.WantKind(t, row.CheckNewOwner(owner), asanaauth.InvalidRequest)
	for _, other := range []string{"Asana:12", " asana:12", "asana"} {
		if err := row.CheckNewOwner(other); err != nil {
			t.Errorf("CheckNewOwner(%q) = %v", other, err)
		}
	}
}

func TestUntil(t *testing.T) {
	now := time.Now()
	const most = time.Minute
	for name, c := range map[string]struct{ left, want time.Duration }{
		"to come":                  {30 * time.Second, 30 * time.Second},
		"now":                      {0, 0},
		"passed":                   {-time.Second, 0},
		"at most":                  {most, most},
		"written by a clock ahead": {most + row.ClockSkew, most + row.ClockSkew},
		"too far ahead":            {most + row.ClockSkew + 1, 0},
		"years ahead":              {1e5 * time.Hour, 0},
	} {
		if got := row.Until(now.Add(c.left), now, most); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	if got := row.Until(time.Time{}, now, most); got != 0 {
		t.Errorf("the zero time: got %v, want 0", got)
	}
}

func TestTraits(t *testing.T) {
	for kind, want := range map[string]row.Traits{
		string(asanaauth.OAuth):               {IsGrant: true, ForFrontends: true},
		string(asanaauth.PersonalAccessToken): {IsImported: true},
		string(asanaauth.ServiceAccount):      {IsImported: true, CanRead: true},
		"":                                    {},
		"another":                             {},
	} {
		if got := row.TraitsOf(kind); got != want {
			t.Errorf("%q: got %+v, want %+v", kind, got, want)
		}
	}
}
