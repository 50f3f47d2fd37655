package row

import (
	"context"
	"log/slog"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The names of the events in audit lines.
const (
	AuditConnected = "connected"          // a person signed in, or a connect code was redeemed
	AuditRefreshed = "refreshed"          // Asana issued a new access token
	AuditReleased  = "token_released"     // a caller got an access token
	AuditReconnect = "reconnect_required" // the connection was marked as broken
	AuditRevoked   = "revoked"            // Asana confirmed a revocation
	AuditImported  = "imported"           // a credential was imported
	AuditDenied    = "denied"             // a caller named the wrong owner or person

	AuditDisconnected    = "disconnected"     // the connection was ended and its credential erased
	AuditRevoking        = "revoking"         // the connection was ended, but Asana must still be asked to revoke it
	AuditLinkCreated     = "link_created"     // a backend made a link
	AuditCodeRedeemed    = "code_redeemed"    // a backend redeemed a connect code
	AuditSessionRedeemed = "session_redeemed" // a backend redeemed a session code
	AuditSignedOut       = "signed_out"       // the session of one browser was ended
	AuditSessionsEnded   = "sessions_ended"   // all sessions of the connection were ended
	AuditReaderNamed     = "reader_named"     // the connection became the reader of workspaces
	AuditReaderRemoved   = "reader_removed"   // the connection is no longer the reader of workspaces
)

// Audit writes an audit line that contains the event, the connection, the hash of the
// connection's owner, and the caller.
func (t *Table) Audit(ctx context.Context, event, caller string, hot *store.Hot, more ...slog.Attr) {
	attrs := append([]slog.Attr{
		slog.String("audit", event),
		slog.String("connection", hot.Connection),
		slog.String("owner_hash", hot.Owner.String()),
		slog.String("caller", caller),
	}, more...)
	t.log.LogAttrs(ctx, slog.LevelInfo, "audit", attrs...)
}

// AuditOwner writes an audit line for an event that concerns a link. The line contains no
// connection, because the connection is saved only when the connect code is redeemed.
// owner is the hash of the link's owner.
func (t *Table) AuditOwner(ctx context.Context, event, caller string, owner store.Hash) {
	t.log.LogAttrs(ctx, slog.LevelInfo, "audit",
		slog.String("audit", event), slog.String("owner_hash", owner.String()), slog.String("caller", caller))
}

// The names of the alarms.
const (
	AlarmSecretRejected    = "client_secret_rejected" // Asana rejects every client secret
	AlarmRefused           = "authorization_refused"  // Asana rejects the app's authorization requests
	AlarmWrongClient       = "wrong_client_id"        // a row's grant was issued to a different client ID
	AlarmRevocationRefused = "revocation_refused"     // Asana refuses to revoke a refresh token
	AlarmUnsaved           = "rotated_token_unsaved"  // Asana rotated a refresh token, and the save failed
	AlarmLost              = "rotated_token_lost"     // Asana rejected a refresh token that it had probably rotated
	AlarmOtherUser         = "wrong_asana_user"       // the response to a refresh names a different Asana user
	AlarmUnseal            = "unseal_failed"          // a sealed field cannot be opened
)

// Alarm writes a log line that an operator must look at. template.yaml defines a metric
// for each alarm. connection is a connection's ID, or empty. err may be nil.
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
