package connection_test

import (
	"context"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestAnEmptyConfigReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	c, err := connection.New(connection.Config{})
	if c != nil {
		t.Error("got a value and an error, want only an error")
	}
	authtest.WantMistakes(t, err,
		"asanaauth: Asana is missing", "asanaauth: Keys is missing", "asanaauth: Secrets is missing", "asanaauth: Store is missing",
	)
}

func TestOpenChecksTheOwner(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		for name, ref := range map[string]connection.Ref{
			"another owner": {ID: d.ID, Owner: "other"},
			"an unknown id": {ID: "con_" + strings.Repeat("a", 32)},
			"not an id":     {ID: "x", Owner: "o"},
			"nothing":       {},
		} {
			_, err := p.Connections.Open(authtest.BackendContext(), ref)
			if asanaauth.KindOf(err) != asanaauth.NotFound {
				t.Errorf("%s: got error %v, want not-found", name, err)
			}
		}
		if _, err := p.Connections.Open(authtest.BackendContext(), connection.Ref{ID: d.ID, Owner: "o"}); err != nil {
			t.Errorf("its owner: %v", err)
		}
		for _, owner := range []string{"a\x00", strings.Repeat("x", 257), "\xff"} {
			_, err := p.Connections.Open(authtest.BackendContext(), connection.Ref{ID: d.ID, Owner: owner})
			authtest.WantKind(t, err, asanaauth.InvalidRequest)
		}
		authtest.WantCount(t, "denied", inst.Log.Says("audit", "denied"), 1)
	})
}

// If the hot row and the cold row belong to different consents, Open reads both rows
// again. If a row is forged, Open returns NotFound.
func TestOpenChecksTheRows(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Generation++ })
		_, err := p.Connections.Describe(t.Context(), p.Open(d.ID))
		authtest.WantKind(t, err, asanaauth.TryAgain)
		reads := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if reads++; reads == 2 { // the second read finds them consistent
				inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Generation-- })
			}
			return true, nil
		}
		if _, err := p.Connections.Describe(t.Context(), p.Open(d.ID)); err != nil {
			t.Errorf("rows that were inconsistent for one read: %v", err)
		}
		inst.Table.Hook = nil
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Generation++ })
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.AsanaGID = asanatest.Admin })
		_, err = p.Connections.Open(authtest.BackendContext(), connection.Ref{ID: d.ID})
		authtest.WantKind(t, err, asanaauth.Internal)
	})
}

// If a connection's cold row is missing, all methods except List and Disconnect return
// TryAgain for it. The owner's other connections are not affected.
func TestAConnectionThatLostARow(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		damaged, whole := p.Connect("o", asanatest.Member), p.Connect("o", asanatest.Guest)
		inst.Rows.Delete(store.ColdKey(damaged.ID))
		page, _, err := p.Connections.List(t.Context(), connection.Query{Owner: "o"}, connection.Page{})
		if err != nil || len(page) != 2 {
			t.Fatalf("List() = %v, %v", page, err)
		}
		for _, d := range page {
			if d.Owner != "o" || d.ID == damaged.ID && (d.Status != asanaauth.Active || !d.CreatedAt.IsZero()) {
				t.Errorf("got %+v, want its owner, and no cold row for the damaged one", d)
			}
		}
		if _, err := p.Import(connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Admin)}); err != nil {
			t.Errorf("importing for the same owner: %v", err)
		}
		conn := p.Open(damaged.ID)
		_, err = p.Tokens.Token(t.Context(), conn, token.Request{})
		authtest.WantKind(t, err, asanaauth.TryAgain)
		_, err = p.Connections.Describe(t.Context(), conn)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		_, err = p.Memberships.List(t.Context(), conn, "")
		authtest.WantKind(t, err, asanaauth.TryAgain)
		_, err = p.Memberships.Capabilities(t.Context(), conn)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		account, _ := p.ImportToken("another", asanatest.ServiceAccount)
		inst.Rows.Delete(store.ColdKey(account.ID))
		_, err = p.Memberships.SetReaderOf(t.Context(), p.Open(account.ID), nil, false)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		got, err := p.Connections.Disconnect(t.Context(), conn)
		wantDisconnected(t, got, err, asanaauth.Disconnected, true)
		if _, err := p.TokenOf(whole.ID, token.Request{}); err != nil {
			t.Errorf("the other connection: %v", err)
		}
		// Connecting again repairs a connection whose cold row is missing.
		inst.Rows.Delete(store.ColdKey(whole.ID))
		if again := p.Connect("o", asanatest.Guest); again.ID != whole.ID || again.CreatedAt.IsZero() {
			t.Errorf("connected again: %+v", again)
		}
	})
}

// A forged row can contain any text as its Reason. If the text is not one of the known
// reasons, Describe must return no reason.
func TestDescribeLeavesOutAnUnknownReason(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Status, hot.Reason = string(asanaauth.Broken), "\x1b[2J" })
		if got, err := p.Connections.Describe(t.Context(), p.Open(d.ID)); err != nil || got.StatusReason != "" {
			t.Errorf("Describe() has the reason %q, %v; want no reason", got.StatusReason, err)
		}
	})
}
