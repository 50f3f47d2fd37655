package row_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// withRows runs f with the IDs of two connections, whose owners are "one" and "two".
func withRows(t *testing.T, f func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, two string)) {
	t.Helper()
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		one, two := p.Connect("one", asanatest.Member).ID, p.Connect("two", asanatest.Guest).ID
		rows, err := row.New(row.Config{Store: inst.Table, Log: slog.New(p.Settings.Log), Keys: p.Keys})
		if err != nil {
			t.Fatal(err)
		}
		inst.Table.Reset()
		f(t, inst, rows, one, two)
	})
}

func TestOpen(t *testing.T) {
	withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, _ string) {
		for _, owner := range []string{"", "one"} {
			conn, err := rows.Open(t.Context(), one, owner, "caller")
			if err != nil {
				t.Fatal(err)
			}
			if conn.ID() != one || conn.Kind() != asanaauth.OAuth || conn.AsanaUser() != asanatest.Member {
				t.Errorf("opened %s, a %s of %s", conn.ID(), conn.Kind(), conn.AsanaUser())
			}
			if o := row.Unwrap(conn); !o.IsConsistent() || o.Ring == nil || o.Caller != "caller" || o.Owner != owner || o.Session || !o.Traits.IsGrant {
				t.Errorf("opened %+v", o)
			}
		}
		authtest.WantCount(t, "reads", inst.Table.Count("read"), 2)
	})
}

func TestOpenRefusesAnotherOwner(t *testing.T) {
	withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, two string) {
		_, err := rows.Open(t.Context(), two, "one", "caller")
		authtest.WantKind(t, err, asanaauth.NotFound)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditDenied), 1)
		_, err = rows.Open(t.Context(), one, "a\nb", "caller")
		authtest.WantKind(t, err, asanaauth.InvalidRequest)
		authtest.WantCount(t, "reads", inst.Table.Count("read"), 1)
	})
}

func TestOpenRefusesMalformedIDs(t *testing.T) {
	withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, _ string) {
		for _, id := range []string{"", "con_", one + "a", one[:len(one)-1], "c#" + one} {
			_, err := rows.Open(t.Context(), id, "", "caller")
			authtest.WantKind(t, err, asanaauth.NotFound)
		}
		authtest.WantCount(t, "reads", inst.Table.Count("read"), 0)
	})
}

// An attacker who can write the table cannot make one connection look like another,
// because the row's ID then does not match its other fields.
func TestOpenRefusesForgedRows(t *testing.T) {
	for name, forge := range map[string]func(mine, victims *store.Hot) *store.Hot{
		"another owner": func(mine, victims *store.Hot) *store.Hot { victims.Owner = mine.Owner; return victims },
		"another user":  func(mine, victims *store.Hot) *store.Hot { victims.AsanaGID = mine.AsanaGID; return victims },
		"another kind": func(_, victims *store.Hot) *store.Hot {
			victims.Kind = string(asanaauth.ServiceAccount)
			return victims
		},
		"no gid": func(_, victims *store.Hot) *store.Hot { victims.AsanaGID = "me"; return victims },
		"the victim's row under my id": func(mine, victims *store.Hot) *store.Hot {
			victims.Connection = mine.Connection
			return victims
		},
		"a tombstone with tokens": func(_, victims *store.Hot) *store.Hot {
			victims.Status, victims.AsanaGID = row.Disconnected, ""
			return victims
		},
		"a tombstone with a user": func(_, victims *store.Hot) *store.Hot {
			victims.Status, victims.Access, victims.Refresh = row.Disconnected, nil, nil
			return victims
		},
		"a tombstone of another owner": func(mine, victims *store.Hot) *store.Hot {
			return &store.Hot{Connection: victims.Connection, Owner: mine.Owner, Kind: victims.Kind, Status: row.Disconnected, End: victims.Expires}
		},
	} {
		t.Run(name, func(t *testing.T) {
			withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, two string) {
				forged := forge(inst.Rows.Hot(one), inst.Rows.Hot(two))
				inst.Rows.Forge(forged)
				if row.IsAuthentic(forged) || forged.Status != row.Disconnected && row.IDMatches(forged) {
					t.Error("the ID matches")
				}
				_, err := rows.Open(t.Context(), forged.Connection, "", "caller")
				authtest.WantKind(t, err, asanaauth.Internal)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnseal), 1)
				hot, err := rows.ReadHot(t.Context(), forged.Connection)
				authtest.WantKind(t, err, asanaauth.Internal)
				if hot != nil {
					t.Error("ReadHot returns a forged row")
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnseal), 2)
			})
		})
	}
}

// OpenPerson opens only the fields that its caller needs.
func TestOpenPersonOpensTheNamedFields(t *testing.T) {
	withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, _ string) {
		conn, err := rows.Open(t.Context(), one, "", "caller")
		if err != nil {
			t.Fatal(err)
		}
		p, err := rows.OpenPerson(t.Context(), conn, row.FieldName)
		if err != nil || p.Name.IsZero() || !p.Owner.IsZero() || !p.Email.IsZero() || !p.Picture.IsZero() {
			t.Errorf("OpenPerson() = %+v, %v; want the name only", p, err)
		}
	})
}

func TestOpenReadsAgainUntilTheRowsAreConsistent(t *testing.T) {
	for name, c := range map[string]struct {
		fixedBefore int // the rows become consistent before this read; 0: never
		reads       int
	}{
		"fixed": {2, 2}, "too late": {4, 3}, "never": {0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, _ string) {
				inst.Rows.EditCold(one, func(cold *store.Cold) { cold.Generation++ })
				reads := 0
				inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
					if reads++; reads == c.fixedBefore {
						inst.Rows.Edit(one, func(hot *store.Hot) { hot.Generation++ })
					}
					return true, nil
				}
				conn, err := rows.Open(t.Context(), one, "", "caller")
				if err != nil {
					t.Fatal(err)
				}
				if got, want := row.Unwrap(conn).IsConsistent(), c.fixedBefore == c.reads; got != want {
					t.Errorf("consistent: %v, want %v", got, want)
				}
				authtest.WantCount(t, "reads", reads, c.reads)
			})
		})
	}
}

func erase(t *testing.T, rows *row.Rows, hot *store.Hot) {
	t.Helper()
	err := rows.Update(t.Context(), row.Update{
		Keys: []store.Key{hot.Key(), store.ColdKey(hot.Connection), row.UserPointerKey(hot)},
		Edit: func(ctx context.Context, tx *row.Tx) error {
			return row.Erase(ctx, tx, row.Get[*store.Hot](tx.Rows(), hot.Key()))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestATombstoneIsConsistent(t *testing.T) {
	withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, _ string) {
		erase(t, rows, inst.Rows.Hot(one))
		conn, err := rows.Open(t.Context(), one, "one", "caller")
		if err != nil {
			t.Fatal(err)
		}
		d, err := rows.Describe(t.Context(), conn)
		if err != nil || d.Status != asanaauth.Disconnected || d.Owner != "one" || d.AttributedTo.GID != "" || !d.UpdatedAt.Equal(rows.Now()) {
			t.Errorf("Describe() = %+v, %v; want a disconnected connection of one", d, err)
		}
	})
}

func TestOpenMany(t *testing.T) {
	withRows(t, func(t *testing.T, inst *authtest.Installation, rows *row.Rows, one, two string) {
		p := inst.Process()
		asking, err := rows.Open(t.Context(), one, "", "caller")
		if err != nil {
			t.Fatal(err)
		}
		missing := store.ConnectionID(store.HashText("nobody"), "1", string(asanaauth.OAuth))
		forged, torn, ended := p.Connect("forged", asanatest.Admin).ID, p.Connect("torn", asanatest.Admin).ID, p.Connect("ended", asanatest.Admin).ID
		inst.Rows.Edit(forged, func(hot *store.Hot) { hot.Owner = store.HashText("one") })
		inst.Rows.EditCold(torn, func(cold *store.Cold) { cold.Generation++ })
		erase(t, rows, inst.Rows.Hot(ended))
		inst.Table.Reset()
		opened, err := rows.OpenMany(t.Context(), asking, []string{one, two, missing, forged, torn, ended})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := slices.Sorted(maps.Keys(opened)), slices.Sorted(slices.Values([]string{one, two})); !slices.Equal(got, want) {
			t.Errorf("opened %v, want %v", got, want)
		}
		if o := row.Unwrap(opened[two]); o.Caller != "caller" || o.Ring != row.Unwrap(asking).Ring || o.Session {
			t.Errorf("opened %+v", o)
		}
		// OpenMany reads all connections once, and the inconsistent one two more times.
		authtest.WantCount(t, "reads", inst.Table.Count("read"), 3)
		inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
		_, err = rows.OpenMany(t.Context(), asking, []string{two})
		authtest.WantKind(t, err, asanaauth.TryAgain)
	})
}
