package asanaauth

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// codeProof is what a session code's proof says; what it proves is in its label.
const codeProof = "session code"

// codeLabel names all that a session code's row says, so that a row that somebody
// else wrote or moved has no proof.
func codeLabel(code *store.SessionCode, hot *store.Hot) seal.Label {
	return seal.Label{
		Row:   code.Key().String(),
		Owner: string(hot.Owner[:]),
		Field: "proof",
		Facts: []string{code.Session.String(), code.Connection, code.Epoch, strconv.FormatInt(code.End.UnixMilli(), 10)},
	}
}

// SessionCode makes a code by which the app's own backend learns, once and within
// 60 seconds, who is signed in to the session. It is worth nothing without the
// backend's identity. Errors: TryAgain, Internal.
func (c *Connections) SessionCode(ctx context.Context, s *Session) (code secret.String, end time.Time, err error) {
	random, err := draw(c.Rand, 32)
	if err != nil {
		return secret.String{}, time.Time{}, err
	}
	writer, err := c.drawName()
	if err != nil {
		return secret.String{}, time.Time{}, err
	}
	code = secret.New(token(random))
	row := &store.SessionCode{
		Code:       store.HashText(code.Reveal()),
		Session:    s.row.Cookie,
		Connection: s.row.Connection,
		Epoch:      s.row.Epoch,
		End:        c.now().Add(codeTTL),
	}
	if row.Proof, err = s.ring.Seal(c.Rand, codeLabel(row, s.hot), secret.New(codeProof)); err != nil {
		return secret.String{}, time.Time{}, fmt.Errorf("sealing the code's proof: %w", err)
	}
	if err := c.Store.Write(ctx, store.Put(row, store.Absent, writer)); err != nil {
		return secret.String{}, time.Time{}, fromParts(fmt.Errorf("keeping the session code: %w", err))
	}
	return code, row.End, nil
}

// RedeemSessionCode returns the connection of the person who is signed in to the
// session that made the code. It is single use: what is left of it is a spent
// marker. Errors: LinkExpired (one for all that is wrong with the code, the session
// or its connection), TryAgain, Internal.
func (c *Connections) RedeemSessionCode(ctx context.Context, code secret.String, caller string) (Details, error) {
	d, err := c.redeemSession(ctx, code, caller)
	return d, codeOver(err)
}

func (c *Connections) redeemSession(ctx context.Context, code secret.String, caller string) (Details, error) {
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	row, err := c.findCode(ctx, code)
	if err != nil {
		return Details{}, err
	}
	s, err := c.sessionOfCode(ctx, row)
	if err != nil {
		return Details{}, err
	}
	s.caller = caller
	d, err := c.Describe(ctx, &s.Connection)
	if err != nil {
		return Details{}, err
	}
	if err := c.spendCode(ctx, row); err != nil {
		return Details{}, err
	}
	return d, nil
}

func (c *Connections) findCode(ctx context.Context, code secret.String) (*store.SessionCode, error) {
	key := store.SessionCodeKey(store.HashText(code.Reveal()))
	rows, err := c.Store.Read(ctx, key)
	if err != nil {
		return nil, fromParts(fmt.Errorf("reading the session code: %w", err))
	}
	row, _ := rows[key].(*store.SessionCode)
	if row == nil || row.Spent || !c.now().Before(row.End) {
		return nil, errLinkExpired
	}
	return row, nil
}

// sessionOfCode reads the session that made the code, which must still be what it
// was then: both proofs open.
func (c *Connections) sessionOfCode(ctx context.Context, code *store.SessionCode) (*Session, error) {
	s, err := c.readSession(ctx, code.Connection, code.Session)
	if err == nil {
		err = c.bothProven(ctx, s, code)
	}
	if KindOf(err) == Unauthenticated {
		return nil, errLinkExpired
	}
	return s, err
}

func (c *Connections) bothProven(ctx context.Context, s *Session, code *store.SessionCode) error {
	var err error
	if s.ring, err = c.Keys.Ring(ctx); err != nil {
		return err
	}
	if err := c.proven(ctx, s, proofLabel(s.row, s.hot), s.row.Proof); err != nil {
		return err
	}
	return c.proven(ctx, s, codeLabel(code, s.hot), code.Proof)
}

// spendCode turns the code into a spent marker. Of two who bring it one is refused.
func (c *Connections) spendCode(ctx context.Context, row *store.SessionCode) error {
	writer, err := c.drawName()
	if err != nil {
		return err
	}
	spent := &store.SessionCode{Code: row.Code, End: row.End, Spent: true}
	return c.spend(ctx, store.Put(spent, row.Rev, writer), LinkExpired)
}
