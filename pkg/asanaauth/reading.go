package asanaauth

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// readInto asks the readers of those workspaces where the person's own token left
// open whether the person can write: about that person alone, in workspaces that the
// person's own token reaches. Where they tell nothing, the own answer stands.
func (m *Memberships) readInto(ctx context.Context, conn *Connection, own []Membership, ttl time.Duration) ([]Membership, error) {
	var open []string
	for _, in := range own {
		if in.undecided() {
			open = append(open, in.Workspace.GID)
		}
	}
	if len(open) == 0 {
		return own, nil
	}
	readers, err := m.c.readersOf(ctx, open, conn)
	if err != nil {
		return nil, err
	}
	asked := map[string][]Membership{} // by reader: each is asked once
	for i, in := range own {
		reader := readers[in.Workspace.GID]
		if reader == nil {
			continue
		}
		told, done := asked[reader.ID()]
		if !done {
			if told, err = m.readOrWarn(ctx, conn, reader, ttl); err != nil {
				return nil, err
			}
			asked[reader.ID()] = told
		}
		for _, t := range told {
			if t.Workspace.GID == in.Workspace.GID {
				own[i] = in.with(t)
			}
		}
	}
	return own, nil
}

// readOrWarn asks a reader. One that is in trouble tells nothing, but for a rate limit:
// that is worth waiting for.
func (m *Memberships) readOrWarn(ctx context.Context, conn, reader *Connection, ttl time.Duration) ([]Membership, error) {
	told, err := m.read(ctx, conn, reader, ttl)
	switch {
	case isOverLimit(err):
		return nil, err
	case err != nil:
		m.c.Log.LogAttrs(ctx, slog.LevelWarn, "a reader could not be asked", slog.String("connection", reader.ID()), slog.Any("err", err))
		return nil, nil
	}
	return told, nil
}

// read asks a reader about the connection's own user. That it may not know is an
// answer, and is kept like one.
func (m *Memberships) read(ctx context.Context, conn, reader *Connection, ttl time.Duration) ([]Membership, error) {
	user := conn.hot.AsanaGID
	key := membershipKey{connection: consentOf(conn), reader: consentOf(reader), user: user}
	return m.told(ctx, reader, key, ttl, func(ctx context.Context, access secret.String) ([]Membership, error) {
		told, err := m.c.Asana.Memberships(ctx, access, user)
		if isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusNotFound) {
			return []Membership{}, nil
		}
		if err != nil {
			return nil, fromParts(fmt.Errorf("asking a reader: %w", err))
		}
		now := m.c.now()
		list := make([]Membership, 0, len(told))
		for i := range told {
			list = append(list, membershipIn(told[i].Workspace, user, &told[i], "", now))
		}
		return list, nil
	})
}

// readersOf returns the readers of workspaces, opened, by workspace: service accounts
// that live, and that say themselves that they are named for it. Whoever was ended or
// dismissed is none.
func (c *Connections) readersOf(ctx context.Context, workspaces []string, asking *Connection) (map[string]*Connection, error) {
	pointers, err := c.readerPointers(ctx, workspaces)
	if err != nil {
		return nil, err
	}
	pointed := map[string]string{}
	for _, gid := range workspaces {
		p, ok := pointers[store.ReaderKey(store.HashText(gid))].(*store.Reader)
		if ok && p.Connection != asking.ID() {
			pointed[gid] = p.Connection
		}
	}
	opened, err := c.openReaders(ctx, slices.Compact(slices.Sorted(maps.Values(pointed))), asking)
	if err != nil {
		return nil, err
	}
	readers := map[string]*Connection{}
	for gid, id := range pointed {
		if reader := opened[id]; reader != nil && reader.readerOf(gid) {
			readers[gid] = reader
		}
	}
	return readers, nil
}

// openReaders reads connections on behalf of the one that asks; what is none is left
// out, as are rows that stay apart.
func (c *Connections) openReaders(ctx context.Context, ids []string, asking *Connection) (map[string]*Connection, error) {
	opened := map[string]*Connection{}
	for range 3 {
		var keys []store.Key
		for _, id := range ids {
			keys = append(keys, store.HotKey(id), store.ColdKey(id))
		}
		rows, err := c.Store.Read(ctx, keys...) // no keys, no rows
		if err != nil {
			return nil, fromParts(fmt.Errorf("reading the readers: %w", err))
		}
		var apart []string
		for _, id := range ids {
			hot, _ := rows[store.HotKey(id)].(*store.Hot)
			if hot == nil || !named(hot) {
				continue
			}
			cold, _ := rows[store.ColdKey(id)].(*store.Cold)
			reader := &Connection{hot: hot, cold: cold, ring: asking.ring, caller: asking.caller}
			if !reader.whole() {
				apart = append(apart, id)
				continue
			}
			opened[id] = reader
		}
		if ids = apart; len(ids) == 0 {
			break
		}
	}
	return opened, nil
}

func (c *Connection) readerOf(gid string) bool {
	return c.hot.Kind == store.ServiceAccount && c.hot.Status == store.Active && slices.Contains(strings.Fields(c.cold.ReaderOf), gid)
}
