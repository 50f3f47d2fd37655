package link_test

import (
	"maps"
	"net/url"
	"slices"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// config sets only the required fields.
func config(inst *authtest.Installation) link.Config {
	return link.Config{
		Store: inst.Table, AuthorizeURL: authtest.AuthorizeURL,
		ReturnURLs: []string{authtest.ReturnURL, authtest.OtherReturnURL}, Scopes: "default",
	}
}

// Each function removes one required field. The key is the error that New must return.
var removeField = map[string]func(*link.Config){
	"asanaauth: Store is missing":        func(c *link.Config) { c.Store = nil },
	"asanaauth: AuthorizeURL is missing": func(c *link.Config) { c.AuthorizeURL = "" },
	"asanaauth: ReturnURLs is missing":   func(c *link.Config) { c.ReturnURLs = nil },
	"asanaauth: Scopes is missing":       func(c *link.Config) { c.Scopes = "" },
}

func TestNewReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	links, err := link.New(link.Config{})
	authtest.WantMistakes(t, err, slices.Collect(maps.Keys(removeField))...)
	if links != nil {
		t.Error("got Links and an error, want only an error")
	}
	for mistake, remove := range removeField {
		t.Run(mistake, func(t *testing.T) {
			c := config(authtest.New(t))
			remove(&c)
			links, err := link.New(c)
			authtest.WantMistakes(t, err, mistake)
			if links != nil {
				t.Error("got Links and an error, want only an error")
			}
		})
	}
	c := config(authtest.New(t))
	c.ReturnURLs = []string{}
	_, err = link.New(c)
	authtest.WantMistakes(t, err, "asanaauth: ReturnURLs is missing")
}

var removeRedeemerField = map[string]func(*link.RedeemerConfig){
	"asanaauth: Store is missing": func(c *link.RedeemerConfig) { c.Store = nil },
	"asanaauth: Keys is missing":  func(c *link.RedeemerConfig) { c.Keys = nil },
}

func TestNewRedeemerReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	redeemer, err := link.NewRedeemer(link.RedeemerConfig{})
	authtest.WantMistakes(t, err, slices.Collect(maps.Keys(removeRedeemerField))...)
	if redeemer != nil {
		t.Error("got a Redeemer and an error, want only an error")
	}
	for mistake, remove := range removeRedeemerField {
		t.Run(mistake, func(t *testing.T) {
			inst := authtest.New(t)
			c := link.RedeemerConfig{Store: inst.Table, Keys: inst.Process().Keys}
			remove(&c)
			redeemer, err := link.NewRedeemer(c)
			authtest.WantMistakes(t, err, mistake)
			if redeemer != nil {
				t.Error("got a Redeemer and an error, want only an error")
			}
		})
	}
}

// With only the required fields, a Links and a Redeemer work. A change of the Config
// after New has no effect.
func TestTheRequiredFieldsAreEnough(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		c := config(inst)
		links, err := link.New(c)
		if err != nil {
			t.Fatal(err)
		}
		c.ReturnURLs[0] = "https://changed.example/"
		redeemer, err := link.NewRedeemer(link.RedeemerConfig{Store: inst.Table, Keys: p.Keys})
		if err != nil {
			t.Fatal(err)
		}
		l, err := links.Create(t.Context(), link.Request{Owner: "o"})
		if err != nil {
			t.Fatal(err)
		}
		token := authtest.LinkToken(t, l)
		if want := authtest.AuthorizeURL + "?" + (url.Values{"link": {token}}).Encode(); l.URL.Reveal() != want {
			t.Errorf("the URL is %s, want %s", l.URL.Reveal(), want)
		}
		outcome, err := p.Callback(p.Answer(p.BeginAt(token), asanatest.Member))
		if err != nil || outcome.ReturnURL != authtest.ReturnURL {
			t.Fatalf("Callback() = %+v, %v", outcome, err)
		}
		d, err := redeemer.Redeem(t.Context(), link.RedeemRequest{Code: outcome.ConnectCode, Owner: "o"})
		if err != nil || d.AttributedTo.GID != asanatest.Member {
			t.Errorf("Redeem() = %+v, %v", d, err)
		}
	})
}
