package session

import (
	"context"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const codeTTL = time.Minute

// Every session code's proof has the same plaintext. Only the labels of the proofs differ
// (see codeLabel).
const codeProofText = "session code"

// codeLabel returns the label of a session code's proof. The label contains every value
// in the code's row, so the proof in a forged or copied row cannot be opened.
func codeLabel(code *store.SessionCode, hot *store.Hot) seal.Label {
	return seal.Label{
		Row:   code.Key().String(),
		Owner: string(hot.Owner[:]),
		Field: "proof",
		Facts: []string{code.Session.String(), code.Connection, code.Epoch, row.TimeFact(code.End)},
	}
}

// Code makes a session code: 32 random bytes in base64url. The frontend sends the code to
// the app's own backend, which redeems the code to find out who is signed in. A code can
// be redeemed once, within 60 seconds. Over HTTP, only callers that authenticate with IAM
// can redeem the code. The result end is the time when the code expires.
//
// Errors: TryAgain, Internal.
func (s *Sessions) Code(ctx context.Context, opened *Session) (code secret.String, end time.Time, err error) {
	token, err := s.rows.RandomToken()
	if err != nil {
		return secret.String{}, time.Time{}, err
	}
	next := &store.SessionCode{
		Code:       store.HashText(token),
		Session:    opened.row.Cookie,
		Connection: opened.row.Connection,
		Epoch:      opened.row.Epoch,
		End:        s.rows.Now().Add(codeTTL),
	}
	o := row.Unwrap(opened.conn)
	if next.Proof, err = s.rows.SealField(o.Ring, codeLabel(next, o.Hot), secret.New(codeProofText)); err != nil {
		return secret.String{}, time.Time{}, err
	}
	if err := s.rows.Insert(ctx, "the session code", next); err != nil {
		return secret.String{}, time.Time{}, err
	}
	return secret.New(token), next.End, nil
}

// Redeemer redeems session codes, for backends. The methods of Redeemer are safe for
// concurrent use.
type Redeemer struct{ rows *row.Rows }

// NewRedeemer returns a Redeemer, or an error that names every missing field of c.
func NewRedeemer(c Config) (*Redeemer, error) {
	rows, err := c.rows()
	if err != nil {
		return nil, err
	}
	return &Redeemer{rows}, nil
}

// Redeem returns the details of the connection to which the code's session belongs. A
// code can be redeemed once, because Redeem replaces the code's row with a row that marks
// the code as redeemed. Redeem takes at most 25 seconds.
//
// Errors: LinkExpired if the code is unknown, redeemed or expired, or if the session has
// ended; TryAgain; Internal.
func (r *Redeemer) Redeem(ctx context.Context, code secret.String) (asanaauth.Details, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	d, err := r.redeem(ctx, code)
	if kind := asanaauth.KindOf(err); kind == asanaauth.LinkExpired || kind == asanaauth.Unauthenticated {
		return asanaauth.Details{}, row.CodeExpired(err)
	}
	return d, err
}

func (r *Redeemer) redeem(ctx context.Context, code secret.String) (asanaauth.Details, error) {
	key := store.SessionCodeKey(store.HashText(code.Reveal()))
	rows, err := r.rows.Read(ctx, "the session code", key)
	if err != nil {
		return asanaauth.Details{}, err
	}
	found := row.Get[*store.SessionCode](rows, key)
	if found == nil || found.Spent || !r.rows.Now().Before(found.End) {
		return asanaauth.Details{}, row.ErrLinkExpired
	}
	// Open the session's proof and the code's proof, to verify that the code was made for
	// this session.
	session, err := open(ctx, r.rows, found.Connection, found.Session)
	if err != nil {
		return asanaauth.Details{}, err
	}
	o := row.Unwrap(session.conn)
	if err := checkProof(ctx, r.rows, o.Ring, o.Hot, codeLabel(found, o.Hot), found.Proof); err != nil {
		return asanaauth.Details{}, err
	}
	d, err := r.rows.Describe(ctx, session.conn)
	if err != nil {
		return asanaauth.Details{}, err
	}
	spent := &store.SessionCode{Code: found.Code, End: found.End, Spent: true}
	if err := r.rows.Consume(ctx, "the session code", found, spent, row.ErrLinkExpired); err != nil {
		return asanaauth.Details{}, err
	}
	r.rows.Audit(ctx, row.AuditSessionRedeemed, asanaauth.CallerOf(ctx), o.Hot)
	return d, nil
}
