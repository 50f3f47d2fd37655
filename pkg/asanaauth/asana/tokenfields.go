package asana

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// readOptional reads id_token, expires_in and scope into t. If one of them is malformed,
// readOptional still reads the others. The error names the first malformed field.
func readOptional(t *Tokens, tok *oauth2.Token) error {
	var idErr, scopeErr error
	if t.ID, idErr = tokenMember(tok, "id_token", maxIDToken); idErr != nil {
		idErr = errors.New("id_token is empty or malformed")
	}
	t.ExpiresIn, _ = lifetime(tok.Extra("expires_in")) // checkedTransport has checked it
	if t.Scope, scopeErr = scope(tok.Extra("scope")); scopeErr != nil {
		scopeErr = errors.New("scope is malformed")
	}
	return cmp.Or(idErr, scopeErr)
}

var errMember = errors.New("malformed member")

// tokenMember returns the token in a field of the response, or zero if that field is
// missing or null. A token must have 1 to limit printable ASCII characters (VSCHAR in RFC
// 6749). A token of these characters can be sent in a header unchanged.
func tokenMember(tok *oauth2.Token, name string, limit int) (secret.String, error) {
	v := tok.Extra(name)
	if v == nil {
		return secret.String{}, nil
	}
	s, ok := v.(string)
	if !ok || s == "" || len(s) > limit || !printable(s) || strings.TrimSpace(s) != s {
		return secret.String{}, errMember
	}
	return secret.New(s), nil
}

// printable reports whether s consists of printable ASCII characters and spaces.
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// lifetime returns v, the value of expires_in in seconds, as a Duration, or 0 if v is nil.
// RFC 6749 requires a number, but many servers send the digits in a string. lifetime
// returns an error if v is not a whole number, is less than 1 or is more than maxLifetime.
func lifetime(v any) (time.Duration, error) {
	if v == nil {
		return 0, nil
	}
	n, ok := v.(float64)
	if s, isText := v.(string); isText && s != "" && strings.Trim(s, "0123456789") == "" {
		var err error
		n, err = strconv.ParseFloat(s, 64)
		ok = err == nil
	}
	if !ok || n < 1 || n > maxLifetime.Seconds() || n != math.Trunc(n) {
		return 0, errMember
	}
	return time.Duration(n) * time.Second, nil
}

// withLifetime encodes m as JSON, with life as expires_in, or without expires_in if life is
// 0. x/oauth2 rejects the whole response if it cannot read expires_in. It does not read
// every form that [lifetime] reads.
func withLifetime(m map[string]any, life time.Duration) ([]byte, error) {
	delete(m, "expires_in")
	if life > 0 {
		m["expires_in"] = int64(life / time.Second)
	}
	return json.Marshal(m)
}

// scope returns v as a string, or "" if v is nil. It returns an error if v is not a
// string, is longer than maxScope or contains a character that a list of scopes must not
// contain (RFC 6749 section 3.3).
func scope(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || len(s) > maxScope || !printable(s) || strings.ContainsAny(s, `"\`) {
		return "", errMember
	}
	return s, nil
}
