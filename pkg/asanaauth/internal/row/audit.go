package row

import (
	"context"
	"log/slog"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The names of the events in audit lines.
const (
	AuditConnected = "connected"
	AuditRefreshed = "refreshed"
	AuditReleased  = "token_released"
	AuditReconnect = "reconnect_required"
	AuditRevoked   = "revoked"
	AuditImported  = "imported"
	AuditDenied    = "denied" // a caller asked for what belongs to another owner
)

// Audit writes an audit line: the event, the connection, the hash of its owner, and the
// caller.
func (t *Table) Audit(ctx context.Context, event, caller string, hot *store.Hot, more ...slog.Attr) {
	attrs := append([]slog.Attr{
		slog.String("audit", event),
		slog.String("connection", hot.Connection),
		slog.String("owner_hash", hot.Owner.String()),
		slog.String("caller", caller),
	}, more...)
	t.log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}

// AuditDeniedOwner writes the audit line for a caller that tried to redeem a connect code
// with a wrong owner or person. There is no connection yet. owner is the hash of the
// link's owner.
func (t *Table) AuditDeniedOwner(ctx context.Context, owner store.Hash, caller string) {
	t.log.LogAttrs(ctx, slog.LevelInfo, "audit",
		slog.String("audit", AuditDenied), slog.String("owner_hash", owner.String()), slog.String("caller", caller))
}

// The names of the alarms.
const (
	AlarmSecretRejected = "client_secret_rejected"
	AlarmWrongClient    = "wrong_client_id"
	AlarmUnsaved        = "rotated_token_unsaved"
	AlarmLost           = "rotated_token_lost"
	AlarmUnseal         = "unseal_failed"
)

// Alarm writes a log line that an operator must look at. template.yaml turns such lines
// into metrics. connection may be empty, and err may be nil.
func (t *Table) Alarm(ctx context.Context, name, connection string, err error) {
	attrs := []slog.Attr{slog.String("alarm", name)}
	if connection != "" {
		attrs = append(attrs, slog.String("connection", connection))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	t.log.LogAttrs(ctx, slog.LevelError, "alarm", attrs...)
}
