package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// way is one of the ways in: the member that begins it, and those that may be beside.
type way struct {
	name   string
	beside []string
	serve  func(backendCall, http.ResponseWriter, *http.Request, members) error
}

func waysIn() []way {
	return []way{
		{"connect_code", []string{"owner", "person"}, backendCall.redeem},
		{"session_code", nil, backendCall.redeemSession},
		{"token", []string{"owner", "kind"}, backendCall.importToken},
		{"refresh_token", []string{"owner", "replace"}, backendCall.importGrant},
	}
}

// connect answers POST /connections: the body says by which way.
func (b backendCall) connect(w http.ResponseWriter, r *http.Request) error {
	var known []string
	for _, way := range waysIn() {
		known = append(append(known, way.name), way.beside...)
	}
	m, err := b.body(r, known...)
	if err != nil {
		return err
	}
	if err := m.notEmpty(); err != nil {
		return err
	}
	for _, way := range waysIn() {
		if _, ok := m[way.name]; !ok {
			continue
		}
		for name := range m {
			if name != way.name && !slices.Contains(way.beside, name) {
				return invalid("The body mixes members that do not belong together.")
			}
		}
		return way.serve(b, w, r, m)
	}
	return invalid("The body has a connect_code, a session_code, a token or a refresh_token.")
}

// notEmpty refuses members that are the empty string: none of ours can be.
func (m members) notEmpty() error {
	for _, raw := range m {
		if string(raw) == `""` {
			return invalid("A member of the body is empty.")
		}
	}
	return nil
}

func (b backendCall) redeem(w http.ResponseWriter, r *http.Request, m members) error {
	var code, owner, person string
	if err := m.texts(map[string]*string{"connect_code": &code, "owner": &owner, "person": &person}); err != nil {
		return err
	}
	d, err := b.conns.Redeem(r.Context(), asanaauth.RedeemRequest{Code: secret.New(code), Owner: owner, Person: person}, b.caller)
	return answerConnection(w, r, http.StatusCreated, d, err)
}

func (b backendCall) redeemSession(w http.ResponseWriter, r *http.Request, m members) error {
	code, _, err := m.text("session_code")
	if err != nil {
		return err
	}
	d, err := b.conns.RedeemSessionCode(r.Context(), secret.New(code), b.caller)
	return answerConnection(w, r, http.StatusOK, d, err)
}

func (b backendCall) importToken(w http.ResponseWriter, r *http.Request, m members) error {
	var token, owner, kind string
	if err := m.texts(map[string]*string{"token": &token, "owner": &owner, "kind": &kind}); err != nil {
		return err
	}
	got, err := b.conns.Import(r.Context(), asanaauth.ImportRequest{Owner: owner, Token: secret.New(token), Kind: store.Kind(kind)}, b.caller)
	return answerConnection(w, r, http.StatusCreated, got.Details, err)
}

func (b backendCall) importGrant(w http.ResponseWriter, r *http.Request, m members) error {
	var refresh, owner string
	if err := m.texts(map[string]*string{"refresh_token": &refresh, "owner": &owner}); err != nil {
		return err
	}
	wanted := asanaauth.ImportRequest{Owner: owner, RefreshToken: secret.New(refresh)}
	if raw, ok := m["replace"]; ok && json.Unmarshal(raw, &wanted.Replace) != nil {
		return invalid("replace is true or false.")
	}
	got, err := b.conns.Import(r.Context(), wanted, b.caller)
	return answerConnection(w, r, http.StatusCreated, got.Details, err)
}

func answerConnection(w http.ResponseWriter, r *http.Request, status int, d asanaauth.Details, err error) error {
	if err != nil {
		return err
	}
	noteConnection(r, d.ID)
	return answerJSON(w, status, ConnectionOf(d))
}
