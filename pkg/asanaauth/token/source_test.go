package token_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestTokenSource(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		id := p.Connect("o", asanatest.Member).ID
		source := p.Tokens.Source(t.Context(), id)
		for _, after := range []time.Duration{0, 50 * time.Minute, 6 * time.Minute, 3 * time.Hour} {
			time.Sleep(after)
			inst.Table.Reset()
			got, err := source.Token()
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(got.Expiry); left < token.DefaultMinTTL || !got.Valid() || got.RefreshToken != "" {
				t.Errorf("after %v: %v left, type %s; want at least five minutes, Bearer", after, left, got.Type())
			}
			if inst.Whose(secret.New(got.AccessToken)) != asanatest.Member || inst.Table.Count("read") == 0 {
				t.Errorf("after %v: another person's token, or the row was not read", after)
			}
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 2)

		// After the connection was disconnected, the source returns no token, even if the
		// last token is still valid.
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(id)); err != nil {
			t.Fatal(err)
		}
		_, err := source.Token()
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		_, err = p.Tokens.Source(t.Context(), "con_x").Token()
		authtest.WantKind(t, err, asanaauth.NotFound)
		if inst.Log.Says("caller", "library") == 0 {
			t.Error("no audit line names the library as the caller")
		}
	})
}

func TestTokenSourceOfLongLivedTokens(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d, value := p.ImportToken("o", asanatest.Bot)
		// Simulate a token for which Asana gave no expiry.
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Expires = time.Time{} })
		time.Sleep(1000 * time.Hour)
		got, err := p.Tokens.Source(t.Context(), d.ID).Token()
		if err != nil || got.AccessToken != value.Reveal() || !got.Expiry.IsZero() || got.ExpiresIn != 0 {
			t.Errorf("expires %v, %v", got.Expiry, err)
		}
	})
}
