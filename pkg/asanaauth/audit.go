package asanaauth

import (
	"context"
	"log/slog"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// audit writes a line for the operator's records: who did what to which
// connection, never with what.
func (p *Parts) audit(ctx context.Context, event, caller string, hot *store.Hot, more ...slog.Attr) {
	attrs := append([]slog.Attr{
		slog.String("audit", event),
		slog.String("connection", hot.Connection),
		slog.String("owner_hash", hot.Owner.String()),
		slog.String("caller", caller),
	}, more...)
	p.Log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}

// The events of audit lines.
const (
	auditConnected = "connected"
	auditRefreshed = "refreshed"
	auditReleased  = "token_released"
	auditReconnect = "reconnect_required"
	auditRevoked   = "revoked"
	auditImported  = "imported"
	auditDenied    = "denied" // somebody asked for what is another's
)

// deniedOwner notes that somebody claimed what another owner's trip brought: there
// is no connection yet.
func (p *Parts) deniedOwner(ctx context.Context, owner store.Hash, caller string) {
	p.Log.LogAttrs(ctx, slog.LevelInfo, "audit",
		slog.String("audit", auditDenied), slog.String("owner_hash", owner.String()), slog.String("caller", caller))
}

// alarm writes a line that somebody has to look at: template.yaml turns it
// into a metric.
func (p *Parts) alarm(ctx context.Context, name, connection string, err error) {
	attrs := []slog.Attr{slog.String("alarm", name)}
	if connection != "" {
		attrs = append(attrs, slog.String("connection", connection))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	p.Log.LogAttrs(ctx, slog.LevelError, "alarm", attrs...)
}

// The alarms of the rules.
const (
	alarmSecretRejected = "client_secret_rejected"
	alarmWrongClient    = "wrong_client_id"
	alarmUnsaved        = "rotated_token_unsaved"
	alarmLost           = "rotated_token_lost"
	alarmUnseal         = "unseal_failed"
	alarmKMSDenied      = "kms_denied"
)
