package membership

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// fillFromReaders adds flags to own, the memberships that Asana reported for the
// connection's own token. If a membership in own does not show whether the user can write
// in the workspace, fillFromReaders requests the user's memberships with the token of the
// workspace's reader. Memberships in workspaces that are not in own are ignored. If the
// reader is unavailable, the flags stay unknown, for the reason ReaderUnavailable.
func (m *Memberships) fillFromReaders(ctx context.Context, conn *connection.Connection, own []Membership, r request) ([]Membership, error) {
	var open []string
	for _, in := range own {
		if in.isUndecided() {
			open = append(open, in.Workspace.GID)
		}
	}
	if len(open) == 0 {
		return own, nil
	}
	readers, err := m.readersOf(ctx, open, conn)
	if err != nil {
		return nil, err
	}
	type result struct {
		reported []Membership
		ok       bool
	}
	asked := map[string]result{} // by the reader's ID, so that each reader is asked once
	for i, in := range own {
		reader := readers[in.Workspace.GID]
		if reader == nil {
			continue
		}
		got, done := asked[reader.ID()]
		if !done {
			got.reported, got.ok = m.askReader(ctx, conn, reader, r)
			asked[reader.ID()] = got
		}
		if !got.ok {
			own[i] = in.withoutReader()
		}
		for _, there := range got.reported {
			if there.Workspace.GID == in.Workspace.GID {
				own[i] = in.fillFromReader(there)
			}
		}
	}
	return own, nil
}

// askReader requests the memberships of conn's user with a reader's token. If the request
// fails, for example because the reader's token is rate limited or no longer active,
// askReader logs the error and returns false.
func (m *Memberships) askReader(ctx context.Context, conn, reader *connection.Connection, r request) (reported []Membership, ok bool) {
	if row.Unwrap(reader).Hot.Status != row.Active {
		return nil, false
	}
	user := conn.AsanaUser()
	key := cacheKey{connection: consentOf(conn), reader: consentOf(reader), user: user}
	reported, err := m.cached(ctx, reader, key, r.maxAge, func(ctx context.Context, access secret.String) ([]Membership, error) {
		return m.fetchAsReader(ctx, access, user)
	})
	if err != nil {
		m.rows.Warn(ctx, "a reader could not be asked", slog.String("connection", reader.ID()), slog.Any("err", err))
	}
	return reported, err == nil
}

// fetchAsReader requests a user's memberships with a reader's token. If Asana refuses the
// request, it returns an empty list instead of an error, because the caller caches lists,
// but not errors.
func (m *Memberships) fetchAsReader(ctx context.Context, access secret.String, user string) ([]Membership, error) {
	reported, err := m.asana.Memberships(ctx, access, user)
	if requests.IsRefusal(err) {
		return []Membership{}, nil
	}
	if err != nil {
		return nil, requests.ErrorOf(fmt.Errorf("asking a reader: %w", err))
	}
	now := m.rows.Now()
	list := make([]Membership, 0, len(reported))
	for i := range reported {
		list = append(list, membershipIn(reported[i].Workspace, user, &reported[i], "", now))
	}
	return list, nil
}

// readersOf returns the connections of the workspaces' readers, by the workspace's gid.
// readersOf omits a reader if it is not a service account, if it was disconnected, or if
// its cold row does not list the workspace.
func (m *Memberships) readersOf(ctx context.Context, workspaces []string, asking *connection.Connection) (map[string]*connection.Connection, error) {
	pointers, err := m.rows.Read(ctx, "who the readers are", row.ReaderKeys(workspaces)...)
	if err != nil {
		return nil, err
	}
	named := map[string]string{}
	for _, gid := range workspaces {
		p := row.Get[*store.Reader](pointers, row.ReaderKey(gid))
		if p != nil && p.Connection != asking.ID() {
			named[gid] = p.Connection
		}
	}
	opened, err := m.rows.OpenMany(ctx, asking, slices.Compact(slices.Sorted(maps.Values(named))))
	if err != nil {
		return nil, err
	}
	readers := map[string]*connection.Connection{}
	for gid, id := range named {
		if reader := opened[id]; reader != nil && isReaderOf(row.Unwrap(reader), gid) {
			readers[gid] = reader
		}
	}
	return readers, nil
}

func isReaderOf(o *row.Opened, gid string) bool {
	return o.Traits.CanRead && (o.Hot.Status == row.Active || o.Hot.Status == row.Broken) && slices.Contains(strings.Fields(o.Cold.ReaderOf), gid)
}
