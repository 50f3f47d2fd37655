package asanaauth_test

import (
	"context"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A life with backends: links, codes, imports and all that goes wrong with them.
func TestNothingOfBackendsLeaks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t).signs()
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		hunts := &hunter{next: h.wire, secrets: map[string]string{
			"Marker Of A Name": "a name", "marker.of.an.address@example": "an address",
			"marker-of-an-owner": "an owner", "marker-of-a-person": "a person",
		}}
		life := &trip{h: h, s: hunts, rows: map[string]string{}}
		if err := h.asana.UpdatePerson(asanatest.Member, func(p *asanatest.Person) {
			p.Name, p.Email = "Marker Of A Name", "marker.of.an.address@example"
		}); err != nil {
			t.Fatal(err)
		}
		p := h.process(func(s *settings) { s.transport = hunts })
		owner, person := "marker-of-an-owner", "marker-of-a-person"

		link, err := p.links("default").Create(t.Context(), asanaauth.LinkRequest{Owner: owner, Person: person})
		hunts.note("a link", linkOf(t, link))
		life.note(link, err)
		code := p.follow(linkOf(t, link), asanatest.Member)
		hunts.note("a connect code", code.Reveal())
		life.note(code)
		_, err = p.redeem(code, "somebody else", person)
		life.note(err)
		code = p.follow(linkOf(t, link), asanatest.Member)
		hunts.note("a connect code", code.Reveal())
		// The table fails whatever it is asked, then comes back.
		h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, errAway }
		_, err = p.redeem(code, owner, person)
		life.note(err)
		h.table.Hook = nil
		request := asanaauth.RedeemRequest{Code: code, Owner: owner, Person: person}
		d, err := p.conns.Redeem(t.Context(), request, backend)
		if err != nil {
			t.Fatal(err)
		}
		life.note(err, d.AttributedTo)

		for _, r := range []asanaauth.ImportRequest{
			{Owner: owner, Kind: store.PersonalAccessToken, Token: secret.New(h.asana.PersonalAccessToken(asanatest.Member))},
			{Owner: owner, Kind: store.ServiceAccount, Token: secret.New(h.asana.ServiceAccountToken(asanatest.ServiceAccount))},
			{Owner: owner, Kind: store.ServiceAccount, Token: h.grant(asanatest.Guest)},
			{Owner: owner, RefreshToken: h.grant(asanatest.Guest)},
			{Owner: owner, RefreshToken: h.grant(asanatest.Member)}, // the active consent is there
			{Owner: owner, RefreshToken: secret.New("marker-of-no-token-of-asanas")},
		} {
			hunts.note("an imported token", r.Token.Reveal())
			hunts.note("an imported refresh token", r.RefreshToken.Reveal())
			got, err := p.importOf(r)
			life.note(r.Token, r.RefreshToken, err, got.AttributedTo)
		}

		time.Sleep(2 * time.Hour)
		token, err := p.tokenOf(d.ID, asanaauth.TokenRequest{})
		hunts.note("a token", token.Access.Reveal())
		life.note(token, err)
		session := p.session(p.signIn(asanatest.Member))
		x, end, err := p.conns.SessionCode(t.Context(), session)
		hunts.note("a session code", x.Reveal())
		life.note(x, end, err)
		_, err = p.conns.RedeemSessionCode(t.Context(), x, backend)
		life.note(err)
		_, err = p.conns.RedeemSessionCode(t.Context(), x, backend)
		life.note(err)
		ended, err := p.conns.EndAll(t.Context(), asanaauth.ListRequest{Owner: owner}, backend)
		life.note(ended, err)
		if len(hunts.secrets) < 15 {
			t.Fatalf("only %d secrets were seen", len(hunts.secrets))
		}
		life.hunt()
	})
}
