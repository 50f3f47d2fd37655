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
