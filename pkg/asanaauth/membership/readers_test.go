package membership_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestSetReaderOfRefuses(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		account, _ := p.ImportToken("it", asanatest.ServiceAccount)
		many := make([]string, 41)
		for i := range many {
			many[i] = fmt.Sprint(1_100_000_000_000_100 + i)
		}
		for name, c := range map[string]struct {
			workspaces []string
			kind       asanaauth.ErrorKind
		}{
			"too many":        {many, asanaauth.InvalidRequest},
			"no gid":          {[]string{"acme"}, asanaauth.InvalidRequest},
			"one twice":       {[]string{asanatest.Acme, asanatest.Acme}, asanaauth.InvalidRequest},
			"out of reach":    {[]string{asanatest.Globex}, asanaauth.NotFound},
			"one of them is":  {[]string{asanatest.Acme, asanatest.Globex}, asanaauth.NotFound},
			"one that is not": {many[:1], asanaauth.NotFound},
		} {
			_, err := p.Memberships.SetReaderOf(t.Context(), p.Open(account.ID), c.workspaces, false)
			if asanaauth.KindOf(err) != c.kind {
				t.Errorf("%s: got error %v, want %s", name, err, c.kind)
			}
		}
		pat, _ := p.ImportToken("it", asanatest.Admin)
		for _, id := range []string{pat.ID, p.Connect("o", asanatest.Admin).ID} {
			_, err := p.Memberships.SetReaderOf(t.Context(), p.Open(id), []string{asanatest.Acme}, false)
			authtest.WantKind(t, err, asanaauth.NotAllowedForKind)
		}
		if len(pointers(inst)) > 0 {
			t.Errorf("got reader pointers %v", pointers(inst))
		}
		// A broken reader's workspaces can be removed, but no workspace can be added.
		setReader(p, account.ID, asanatest.Acme)
		inst.Rows.Edit(account.ID, func(hot *store.Hot) { hot.Status = row.Broken })
		setReader(p, account.ID, asanatest.Acme)
		_, err := p.Memberships.SetReaderOf(t.Context(), p.Open(account.ID), []string{asanatest.Acme, asanatest.Globex}, false)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		setReader(p, account.ID)
		inst.Rows.Edit(account.ID, func(hot *store.Hot) { hot.Status = row.Revoking })
		_, err = p.Memberships.SetReaderOf(t.Context(), p.Open(account.ID), nil, false)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		inst.Rows.Edit(account.ID, func(hot *store.Hot) { hot.Status = row.Broken })
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(account.ID)); err != nil {
			t.Fatal(err)
		}
		_, err = p.Memberships.SetReaderOf(t.Context(), p.Open(account.ID), nil, false)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
	})
}

// SetReaderOf sets UpdatedAt of the connection's details to the current time.
func TestSetReaderOfIsAnUpdate(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		p := authtest.New(t).Process()
		account, _ := p.ImportToken("it", asanatest.ServiceAccount)
		time.Sleep(time.Hour)
		d, err := p.Memberships.SetReaderOf(t.Context(), p.Open(account.ID), []string{asanatest.Acme}, false)
		if err != nil || !d.UpdatedAt.Equal(time.Now()) || !d.CreatedAt.Equal(account.CreatedAt) {
			t.Errorf("created %v, updated %v, %v", d.CreatedAt, d.UpdatedAt, err)
		}
	})
}

// A workspace has at most one reader, so a new reader replaces the former one. When a
// reader is disconnected, the pointer rows of its workspaces are deleted.
func TestAReaderTakesOver(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		if err := inst.Asana.UpdatePerson(asanatest.ServiceAccount, func(p *asanatest.Person) {
			p.Memberships = append(p.Memberships, asanatest.Membership{Workspace: asanatest.Workspace{GID: asanatest.Globex, Name: "Globex"}})
		}); err != nil {
			t.Fatal(err)
		}
		p := inst.Process()
		first := importReader(p, "first", asanatest.Acme, asanatest.Globex)
		second := importReader(p, "second", asanatest.Acme)
		if got := pointers(inst); got[asanatest.Acme] != second || got[asanatest.Globex] != first {
			t.Errorf("got reader pointers %v", got)
		}
		d, err := p.Connections.Describe(t.Context(), p.Open(first))
		if err != nil || strings.Join(d.ReaderOf, " ") != asanatest.Globex {
			t.Errorf("the first is the reader of %v, %v", d.ReaderOf, err)
		}
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(first)); err != nil {
			t.Fatal(err)
		}
		if got := pointers(inst); len(got) != 1 || got[asanatest.Acme] != second {
			t.Errorf("pointers after the first was disconnected: %v", got)
		}
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(second)); err != nil {
			t.Fatal(err)
		}
		if got := pointers(inst); len(got) > 0 {
			t.Errorf("pointers after both were disconnected: %v", got)
		}
	})
}

// A service account's cold row can list a workspace whose pointer row contains another
// reader, for example after an old version of the cold row was restored. If the workspace
// is removed from the list, or the service account is disconnected, the pointer row does
// not change.
func TestThePointerOfAnotherReaderStays(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		second := importReader(p, "second", asanatest.Acme)
		for name, leave := range map[string]func(id string){
			"dismissed": func(id string) { setReader(p, id) },
			"disconnected": func(id string) {
				if _, err := p.Connections.Disconnect(t.Context(), p.Open(id)); err != nil {
					t.Fatal(err)
				}
			},
		} {
			d, _ := p.ImportToken(name, asanatest.ServiceAccount)
			inst.Rows.EditCold(d.ID, func(c *store.Cold) { c.ReaderOf = asanatest.Acme })
			leave(d.ID)
			if got := pointers(inst); got[asanatest.Acme] != second {
				t.Errorf("%s: pointers: %v", name, got)
			}
		}
	})
}

// If one table operation of SetReaderOf fails, either before or after the operation takes
// effect, a repeated call makes the service account the workspace's only reader.
func TestCrashPointsOfAReader(t *testing.T) {
	t.Parallel()
	authtest.CrashPoints(t, func(t *testing.T, fault *authtest.Fault) {
		inst := authtest.New(t)
		p := inst.Process()
		importReader(p, "first", asanatest.Acme)
		account, _ := p.ImportToken("second", asanatest.ServiceAccount)
		conn := p.Open(account.ID)
		var err error
		fault.During(inst, func() {
			_, err = p.Memberships.SetReaderOf(t.Context(), conn, []string{asanatest.Acme}, true)
		})
		if err != nil {
			authtest.WantKind(t, err, asanaauth.TryAgain)
		}
		setReader(p, account.ID, asanatest.Acme)
		if got := pointers(inst); len(got) != 1 || got[asanatest.Acme] != account.ID {
			t.Errorf("got reader pointers %v", got)
		}
	})
}

// If one table operation of Disconnect fails, either before or after the operation takes
// effect, a repeated call deletes all pointer rows that contain the reader.
func TestCrashPointsOfDisconnectingAReader(t *testing.T) {
	t.Parallel()
	authtest.CrashPoints(t, func(t *testing.T, fault *authtest.Fault) {
		inst := authtest.New(t)
		p := inst.Process()
		id := importReader(p, "it", asanatest.Acme)
		conn := p.Open(id)
		fault.During(inst, func() {
			p.Connections.Disconnect(t.Context(), conn) // an error is expected
		})
		time.Sleep(time.Minute) // wait until every lease has expired
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(id)); err != nil {
			t.Fatal(err)
		}
		if got := pointers(inst); len(got) > 0 || inst.Rows.Hot(id).Status != row.Disconnected {
			t.Errorf("%s, pointers: %v", inst.Rows.Hot(id).Status, got)
		}
	})
}

// If several service accounts are made the reader of the same workspace at the same time,
// the workspace's pointer row contains exactly one of them, and only the cold row of this
// service account lists the workspace.
func TestTwoReadersAtOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		var ids []string
		for _, owner := range []string{"first", "second", "third"} {
			d, _ := p.ImportToken(owner, asanatest.ServiceAccount)
			ids = append(ids, d.ID)
		}
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				if _, err := p.Memberships.SetReaderOf(context.Background(), p.Open(id), []string{asanatest.Acme}, true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			has := inst.Rows.Cold(id).ReaderOf == asanatest.Acme
			if points := pointers(inst)[asanatest.Acme] == id; has != points {
				t.Errorf("%s: its row says %v, the pointer %v", id, has, points)
			}
		}
		authtest.WantCount(t, "pointers", len(pointers(inst)), 1)
	})
}

// In this test, SetReaderOf replaces 39 of a service account's 40 workspaces with 39
// workspaces that have 39 different readers. This requires 118 changes: 39 deleted
// pointer rows, 39 changed pointer rows, the cold rows of 39 former readers, and the
// service account's own cold row. A transaction can contain 100 changes, so SetReaderOf
// needs two transactions.
func TestSetReaderOfFitsIntoTransactions(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		var all []asanatest.Workspace
		var gids []string
		for i := range 79 {
			gids = append(gids, fmt.Sprint(1_100_000_000_001_000+i))
			all = append(all, asanatest.Workspace{GID: gids[i], Name: "one"})
		}
		addToWorkspaces(inst, all...)
		p := inst.Process()
		id := importReader(p, "it", gids[:40]...)
		theirs := map[string]string{}
		for _, gid := range gids[40:] {
			theirs[gid] = importReader(p, "of "+gid, gid)
		}
		most, writes := 0, 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				writes++
			}
			most = max(most, len(op.Changes))
			return true, nil
		}
		setReader(p, id, gids[39:]...) // one workspace is in both lists
		inst.Table.Hook = nil
		if most > 100 || writes != 2 {
			t.Errorf("%d writes, of %d changes at most", writes, most)
		}
		pointers := map[store.Hash]string{}
		for _, there := range inst.Rows.All() {
			if r, ok := there.(*store.Reader); ok {
				pointers[r.Workspace] = r.Connection
			}
		}
		authtest.WantCount(t, "pointers", len(pointers), 40)
		for _, gid := range gids[39:] {
			if pointers[store.HashText(gid)] != id {
				t.Fatalf("%s has another reader", gid)
			}
		}
		for gid, other := range theirs {
			if d, err := p.Connections.Describe(t.Context(), p.Open(other)); err != nil || len(d.ReaderOf) > 0 {
				t.Fatalf("%s is still the reader of %v, %v", gid, d.ReaderOf, err)
			}
		}
	})
}

// If SetReaderOf has to repeat its write, it still sends only one request to Asana.
func TestSetReaderOfAsksOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		account, _ := p.ImportToken("it", asanatest.ServiceAccount)
		conn, left := p.Open(account.ID), 3
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" && left > 0 {
				left--
				return false, authtest.ErrTableDown
			}
			return true, nil
		}
		if _, err := p.Memberships.SetReaderOf(t.Context(), conn, []string{asanatest.Acme}, false); err != nil {
			t.Fatal(err)
		}
		authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), 1)
		if pointers(inst)[asanatest.Acme] != account.ID {
			t.Errorf("got reader pointers %v", pointers(inst))
		}
	})
}

// If every write fails, SetReaderOf returns an error after 25 seconds.
func TestSetReaderOfGivesUp(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		account, _ := p.ImportToken("it", asanatest.ServiceAccount)
		conn := p.Open(account.ID)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) { return op.Name != "write", nil }
		began := time.Now()
		_, err := p.Memberships.SetReaderOf(t.Context(), conn, []string{asanatest.Acme}, false)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took < 24*time.Second || took > 25*time.Second {
			t.Errorf("took %v, want about 25s", took)
		}
		if len(pointers(inst)) > 0 {
			t.Errorf("got reader pointers %v", pointers(inst))
		}
	})
}

// A workspace whose reader belongs to a different owner is taken over only if the caller
// asks for it. Otherwise, nothing changes, not even the other workspaces in the list.
func TestAReaderOfAnotherOwnerIsReplacedOnlyIfAsked(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		addToWorkspaces(inst, asanatest.Workspace{GID: asanatest.Globex, Name: "Globex"})
		p := inst.Process()
		first := importReader(p, "first", asanatest.Acme)
		second, _ := p.ImportToken("second", asanatest.ServiceAccount)
		before := inst.Rows.All()
		_, err := p.Memberships.SetReaderOf(t.Context(), p.Open(second.ID), []string{asanatest.Globex, asanatest.Acme}, false)
		authtest.WantKind(t, err, asanaauth.AlreadyConnected)
		if diff := cmp.Diff(before, inst.Rows.All()); diff != "" {
			t.Errorf("rows (-before +after):\n%s", diff)
		}
		// A workspace without a reader, or one that the caller already has, needs no replace.
		for _, workspaces := range [][]string{{asanatest.Globex}, {asanatest.Globex}, {}} {
			if _, err := p.Memberships.SetReaderOf(t.Context(), p.Open(second.ID), workspaces, false); err != nil {
				t.Errorf("%v: %v", workspaces, err)
			}
		}
		if _, err := p.Memberships.SetReaderOf(t.Context(), p.Open(second.ID), []string{asanatest.Acme}, true); err != nil {
			t.Fatal(err)
		}
		if got := pointers(inst); got[asanatest.Acme] != second.ID || inst.Rows.Cold(first).ReaderOf != "" {
			t.Errorf("got reader pointers %v", got)
		}
		// A broken connection is still the reader, and a disconnected one is not.
		inst.Rows.Edit(second.ID, func(hot *store.Hot) { hot.Status = row.Broken })
		_, err = p.Memberships.SetReaderOf(t.Context(), p.Open(first), []string{asanatest.Acme}, false)
		authtest.WantKind(t, err, asanaauth.AlreadyConnected)
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(second.ID)); err != nil {
			t.Fatal(err)
		}
		if _, err = p.Memberships.SetReaderOf(t.Context(), p.Open(first), []string{asanatest.Acme}, false); err != nil {
			t.Error(err)
		}
	})
}

// The pointer row of a former reader can be left over. The former reader's cold row decides
// whether it is still the reader.
func TestALeftOverPointerIsNotAReader(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		first := importReader(p, "first", asanatest.Acme)
		inst.Rows.EditCold(first, func(c *store.Cold) { c.ReaderOf = "" })
		second, _ := p.ImportToken("second", asanatest.ServiceAccount)
		if _, err := p.Memberships.SetReaderOf(t.Context(), p.Open(second.ID), []string{asanatest.Acme}, false); err != nil {
			t.Error(err)
		}
	})
}

// Another service account of the same owner is replaced without asking.
func TestAReaderOfTheSameOwnerIsReplaced(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		importReader(p, "it", asanatest.Acme)
		r := connection.ImportRequest{Owner: "it", Kind: asanaauth.ServiceAccount, Token: secret.New(inst.Asana.PersonalAccessToken(asanatest.Bot))}
		other, err := p.Import(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Memberships.SetReaderOf(t.Context(), p.Open(other.ID), []string{asanatest.Acme}, false); err != nil {
			t.Fatal(err)
		}
		if got := pointers(inst)[asanatest.Acme]; got != other.ID {
			t.Errorf("the reader is %s, want %s", got, other.ID)
		}
	})
}

// If several owners claim the same workspace at the same time without replace, one of them
// gets it.
func TestOneOwnerGetsTheWorkspace(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		for _, owner := range []string{"first", "second", "third"} {
			d, _ := p.ImportToken(owner, asanatest.ServiceAccount)
			wg.Go(func() {
				_, err := p.Memberships.SetReaderOf(context.Background(), p.Open(d.ID), []string{asanatest.Acme}, false)
				switch {
				case err == nil:
					won.Add(1)
				case asanaauth.KindOf(err) == asanaauth.AlreadyConnected:
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 2 {
			t.Errorf("%d owners got the workspace, %d did not", won.Load(), lost.Load())
		}
	})
}

// After a conflict, the hot row and the cold row are read again in one request, which is not
// a snapshot. If the rows belong to different consents, they are read once more.
func TestSetReaderOfAfterAnInconsistentRead(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		account, _ := p.ImportToken("it", asanatest.ServiceAccount)
		conn := p.Open(account.ID)
		reads := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			switch {
			case op.Name == "write" && reads == 0: // another import comes first
				inst.Rows.EditCold(account.ID, func(c *store.Cold) { c.Generation = 2 })
			case op.Name == "read" && slices.Contains(op.Keys, store.HotKey(account.ID)):
				if reads++; reads == 2 { // the hot row of the same import
					inst.Rows.Edit(account.ID, func(h *store.Hot) { h.Generation = 2 })
				}
			}
			return true, nil
		}
		if _, err := p.Memberships.SetReaderOf(t.Context(), conn, []string{asanatest.Acme}, false); err != nil {
			t.Errorf("got %v after %d reads", err, reads)
		}
		if got := inst.Rows.Cold(account.ID); got.ReaderOf != asanatest.Acme || got.Generation != 2 {
			t.Errorf("got the cold row %+v", got)
		}
	})
}
