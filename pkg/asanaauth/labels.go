package asanaauth

import (
	"fmt"
	"strconv"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The fields of a connection's tokens.
const (
	fieldAccess  = "access"
	fieldRefresh = "refresh"
)

func hotLabel(hot *store.Hot, field string) seal.Label {
	return seal.Label{Row: hot.Key().String(), Owner: string(hot.Owner[:]), Field: field}
}

func coldLabel(hot *store.Hot, field string) seal.Label {
	return seal.Label{Row: store.ColdKey(hot.Connection).String(), Owner: string(hot.Owner[:]), Field: field}
}

// sessionProof is what a session's proof says; what it proves is in its label.
const sessionProof = "session"

// proofLabel names all that a session's row says, so that a row that somebody
// else wrote or moved has no proof.
func proofLabel(s *store.Session, hot *store.Hot) seal.Label {
	ms := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	return seal.Label{
		Row:   s.Key().String(),
		Owner: string(hot.Owner[:]),
		Field: "proof",
		Facts: []string{s.Connection, s.Epoch, ms(s.Start), ms(s.End), strconv.FormatInt(s.IdleTTL.Milliseconds(), 10), ms(s.IdleEnd)},
	}
}

func prove(p *Parts, ring *seal.Ring, s *store.Session, hot *store.Hot) error {
	proof, err := ring.Seal(p.Rand, proofLabel(s, hot), secret.New(sessionProof))
	if err != nil {
		return fmt.Errorf("sealing the session's proof: %w", err)
	}
	s.Proof = proof
	return nil
}

// setTokens seals what Asana answered into the row. An answer without a
// refresh token leaves the one that is there.
func setTokens(p *Parts, ring *seal.Ring, hot *store.Hot, t asana.Tokens, now time.Time) error {
	access, err := ring.Seal(p.Rand, hotLabel(hot, fieldAccess), t.Access)
	if err != nil {
		return fmt.Errorf("sealing the access token: %w", err)
	}
	hot.Access, hot.Issued, hot.Expires, hot.LastRefreshed = access, now, endOf(hot.Kind, t.ExpiresIn, now), now
	if t.Refresh.IsZero() {
		return nil
	}
	if hot.Refresh, err = ring.Seal(p.Rand, hotLabel(hot, fieldRefresh), t.Refresh); err != nil {
		return fmt.Errorf("sealing the refresh token: %w", err)
	}
	return nil
}

// endOf is when an access token that was issued now ends: zero where Asana told
// nothing of a long-lived one.
func endOf(kind store.Kind, life time.Duration, now time.Time) time.Time {
	switch {
	case life > 0:
		return now.Add(life)
	case kind == store.OAuth:
		return now.Add(documentedLife)
	}
	return time.Time{}
}
