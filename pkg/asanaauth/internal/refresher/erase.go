package refresher

import (
	"context"
	"fmt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// isGrantShared reports whether a different, active connection in this table has a grant
// for the same Asana user and client ID. Asana does not document
// whether a revocation ends one token or the user's whole consent. In the second case, a
// revocation of hot's token would also end the other connection's grant.
func (r *Refresher) isGrantShared(ctx context.Context, hot *store.Hot) (bool, error) {
	cursor := ""
	for {
		page, next, err := r.rows.List(ctx, store.UserPartition(store.HashText(hot.AsanaGID)), cursor)
		if err != nil {
			return false, fmt.Errorf("listing the user's connections: %w", err)
		}
		var keys []store.Key
		for _, pointer := range page {
			p, ok := pointer.(*store.UserPointer)
			if ok && row.TraitsOf(p.Kind).IsGrant && store.ValidConnectionID(p.Connection) {
				keys = append(keys, store.HotKey(p.Connection))
			}
		}
		rows, err := r.rows.Read(ctx, "the user's connections", keys...) // returns no rows if keys is empty
		if err != nil {
			return false, err
		}
		for key := range rows {
			other := row.Get[*store.Hot](rows, key)
			if other != nil && row.CheckAuthentic(ctx, r.rows.Table, other) == nil && isSharedWith(other, hot) {
				return true, nil
			}
		}
		if cursor = next; cursor == "" {
			return false, nil
		}
	}
}

func isSharedWith(other, hot *store.Hot) bool {
	return other.AsanaGID == hot.AsanaGID && other.ClientID == hot.ClientID && len(other.Refresh) > 0 && other.Status == row.Active
}

// erase replaces the connection's rows with a tombstone. If the row's Grant is no longer
// the one that was revoked, erase changes nothing, and returns row.ErrChanged and the row
// with the new Grant.
func (h *holder) erase(ctx context.Context) (*store.Hot, error) {
	ctx, cancel := h.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	key := h.sent.Key()
	var seen *store.Hot
	err := h.rows.Update(ctx, row.Update{
		What: "the tombstone",
		Keys: []store.Key{key, store.ColdKey(h.sent.Connection), row.UserPointerKey(h.sent)},
		Edit: func(ctx context.Context, tx *row.Tx) error {
			seen = row.Get[*store.Hot](tx.Rows(), key)
			if seen == nil || seen.Grant != h.sent.Grant {
				return row.ErrChanged
			}
			return row.Erase(ctx, tx, seen)
		},
	})
	return seen, err
}
