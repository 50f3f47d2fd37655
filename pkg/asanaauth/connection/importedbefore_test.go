package connection_test

import (
	"strconv"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// imports returns the import pointers in the table, by the connection that they point to.
func imports(inst *authtest.Installation) map[string]*store.ImportPointer {
	found := map[string]*store.ImportPointer{}
	for _, r := range inst.Rows.All() {
		if p, ok := r.(*store.ImportPointer); ok {
			found[p.Connection] = p
		}
	}
	return found
}

func patOf(inst *authtest.Installation, owner, gid string) connection.ImportRequest {
	return connection.ImportRequest{Owner: owner, Kind: asanaauth.PersonalAccessToken, Token: secret.New(inst.Asana.PersonalAccessToken(gid))}
}

// An import reads one row to find out whether its credential was imported before. The
// number of reads does not depend on how many connections the owner has.
func TestOneReadRecognizesAnImport(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{0, 4000} {
		t.Run(strconv.Itoa(connections), func(t *testing.T) {
			t.Parallel()
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				p.ImportToken("another", asanatest.Admin) // makes the keyring, which is then cached
				owner := store.HashText("o")
				for n := range connections {
					id := store.ConnectionID(owner, strconv.Itoa(n), string(asanaauth.OAuth))
					hot := &store.Hot{Connection: id, Kind: string(asanaauth.OAuth), AsanaGID: strconv.Itoa(n), Owner: owner, Generation: 1, Status: string(asanaauth.Active)}
					inst.Rows.Forge(hot, &store.Cold{Connection: id, Generation: 1})
				}
				for _, r := range []connection.ImportRequest{patOf(inst, "o", asanatest.Bot), {Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}} {
					inst.Table.Reset()
					if got, err := p.Import(r); err != nil || got.Already {
						t.Fatalf("Import() = %+v, %v", got, err)
					}
					// The write reads the rows that it replaces.
					authtest.WantCount(t, "reads of a new import", inst.Table.Count("read"), 1+1)
					inst.Table.Reset()
					if already, err := p.Connections.CheckImport(t.Context(), r); err != nil || !already {
						t.Errorf("CheckImport() = %v, %v", already, err)
					}
					if got, err := p.Import(r); err != nil || !got.Already {
						t.Errorf("Import() again = %+v, %v", got, err)
					}
					// The second read returns the connection.
					authtest.WantCount(t, "reads of two repetitions", inst.Table.Count("read"), 2+2)
					authtest.WantCount(t, "lists", inst.Table.Count("list"), 0)
				}
			})
		})
	}
}

// The row of an import does not contain the credential, and different owners have
// different rows for the same credential.
func TestImportPointersDependOnTheOwner(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		r := patOf(inst, "o", asanatest.Bot)
		other := r
		other.Owner = "another"
		for _, one := range []connection.ImportRequest{r, other} {
			if got, err := p.Import(one); err != nil || got.Already {
				t.Fatalf("Import() = %+v, %v", got, err)
			}
		}
		authtest.WantCount(t, "import pointers", len(imports(inst)), 2)
		for _, pointer := range imports(inst) {
			if authtest.Holds(pointer, r.Token.Reveal()) || pointer.Credential == store.HashText(r.Token.Reveal()) {
				t.Error("the row contains the credential, or its plain hash")
			}
		}
	})
}

// A disconnect deletes the row of the import, and the connection is not found by its
// credential afterwards.
func TestADisconnectForgetsTheImport(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		grant := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
		token := patOf(inst, "o", asanatest.Bot)
		for _, r := range []connection.ImportRequest{grant, token} {
			got, err := p.Import(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Connections.Disconnect(t.Context(), p.Open(got.ID)); err != nil {
				t.Fatal(err)
			}
			if status := inst.Rows.Hot(got.ID).Status; status != string(asanaauth.Disconnected) {
				t.Fatalf("the status is %s", status)
			}
			authtest.WantCount(t, "import pointers", len(imports(inst)), 0)
			if already, _ := p.Connections.CheckImport(t.Context(), r); already {
				t.Error("a disconnected connection was found by its credential")
			}
		}
		_, err := p.Import(grant)
		wantReason(t, err, "inactive")
		if again, err := p.Import(token); err != nil || again.Already {
			t.Errorf("importing the token again = %+v, %v, want a new connection", again, err)
		}
	})
}

// If a connection gets a new consent or another credential, the row of the earlier import
// is deleted. Importing the earlier credential again asks Asana.
func TestANewerCredentialReplacesTheImport(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		first, second := patOf(inst, "o", asanatest.Bot), patOf(inst, "o", asanatest.Bot)
		got, err := p.Import(first)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Import(second); err != nil {
			t.Fatal(err)
		}
		if all := imports(inst); len(all) != 1 || all[got.ID].Credential != inst.Rows.Cold(got.ID).Imported {
			t.Errorf("got import pointers %v, want only that of the second token", all)
		}
		if already, err := p.Connections.CheckImport(t.Context(), first); err != nil || already {
			t.Errorf("CheckImport() of the first token = %v, %v", already, err)
		}
		grant := connection.ImportRequest{Owner: "o", RefreshToken: inst.Grant(asanatest.Member)}
		imported, err := p.Import(grant)
		if err != nil {
			t.Fatal(err)
		}
		if consented := p.Connect("o", asanatest.Member); consented.ID != imported.ID {
			t.Fatalf("the consent made the connection %s, want %s", consented.ID, imported.ID)
		}
		if all := imports(inst); len(all) != 1 || all[imported.ID] != nil {
			t.Errorf("got import pointers %v, want none to the connection with the newer consent", all)
		}
		_, err = p.Import(grant)
		authtest.WantKind(t, err, asanaauth.AlreadyConnected)
	})
}

// A row that points to the wrong connection is ignored. It can be left over from an
// earlier import, or forged by an attacker who can write to the table.
func TestAnImportPointerToAnotherConnectionIsIgnored(t *testing.T) {
	t.Parallel()
	for name, points := range map[string]func(p *authtest.Process, credential store.Hash) string{
		"another owner's": func(p *authtest.Process, credential store.Hash) string {
			d, _ := p.ImportToken("another", asanatest.Bot)
			p.Installation.Rows.EditCold(d.ID, func(cold *store.Cold) { cold.Imported = credential })
			return d.ID
		},
		"with another token": func(p *authtest.Process, _ store.Hash) string {
			d, _ := p.ImportToken("o", asanatest.Admin)
			return d.ID
		},
		"with a consent": func(p *authtest.Process, _ store.Hash) string { return p.Connect("o", asanatest.Member).ID },
		"one that never existed": func(*authtest.Process, store.Hash) string {
			return store.ConnectionID(store.HashText("o"), "1", "oauth")
		},
		"not even an ID": func(*authtest.Process, store.Hash) string { return "con_" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				r := patOf(inst, "o", asanatest.Bot)
				hash := store.ImportHash(store.HashText("o"), r.Token.Reveal())
				inst.Rows.Forge(&store.ImportPointer{Credential: hash, Connection: points(p, hash)})
				got, err := p.Import(r)
				if err != nil || got.Already || got.AttributedTo.GID != asanatest.Bot {
					t.Fatalf("Import() = %+v, %v, want a new connection", got, err)
				}
				if again, err := p.Import(r); err != nil || !again.Already || again.ID != got.ID {
					t.Errorf("Import() again = %+v, %v, want the same connection", again, err)
				}
			})
		})
	}
}

// The same token as another kind makes a second connection. The row then points to the
// second one, and ending the first one must not delete the row.
func TestTwoKindsOfTheSameToken(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		r := patOf(inst, "o", asanatest.Bot)
		first, err := p.Import(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Kind = asanaauth.ServiceAccount
		second, err := p.Import(r)
		if err != nil || second.Already || second.ID == first.ID {
			t.Fatalf("as another kind: %+v, %v", second, err)
		}
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(first.ID)); err != nil {
			t.Fatal(err)
		}
		if again, err := p.Import(r); err != nil || !again.Already || again.ID != second.ID {
			t.Errorf("Import() again = %+v, %v, want the second connection", again, err)
		}
	})
}

// An attacker who can write the table cannot make a repeated import return another
// connection of the same owner.
func TestAForgedImportReturnsNoOtherConnection(t *testing.T) {
	t.Parallel()
	for name, erase := range map[string]func(*store.Cold){
		"the other connection's fields": func(*store.Cold) {},
		"no owner":                      func(c *store.Cold) { c.OwnerName = nil },
		"no sealed field":               func(c *store.Cold) { c.OwnerName, c.Name, c.Email, c.Picture = nil, nil, nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				mine, victims := patOf(inst, "o", asanatest.Member), patOf(inst, "o", asanatest.Admin)
				first, err := p.Import(mine)
				if err != nil {
					t.Fatal(err)
				}
				other, err := p.Import(victims)
				if err != nil {
					t.Fatal(err)
				}
				pointer, cold := imports(inst)[first.ID], inst.Rows.Cold(other.ID)
				pointer.Connection, cold.Imported = other.ID, pointer.Credential
				erase(cold)
				inst.Rows.Forge(pointer, cold)
				if already, err := p.Connections.CheckImport(t.Context(), mine); already {
					t.Errorf("CheckImport() = true, %v", err)
				}
				if got, err := p.Import(mine); got.ID == other.ID {
					t.Errorf("Import() = connection of %s, %v, want none of another Asana user", got.AttributedTo.GID, err)
				}
			})
		})
	}
}
