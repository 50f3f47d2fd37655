package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// way is one of the ways in: the member that begins it, and those that may be beside.
type way struct {
	name   string
	beside []string
	serve  func(backendCall, http.ResponseWriter, *http.Request, members) error
}

func waysIn() []way {
	return append([]way{
		{"connect_code", []string{"owner", "person"}, backendCall.redeem},
		{"session_code", nil, backendCall.redeemSession},
	}, imports()...)
}

func imports() []way {
	return []way{
		{"token", []string{"owner", "kind"}, backendCall.importCredential},
		{"refresh_token", []string{"owner", "replace"}, backendCall.importCredential},
	}
}

// connect answers POST /connections: the body says by which way.
func (b backendCall) connect(w http.ResponseWriter, r *http.Request) error {
	if _, err := b.params(r); err != nil {
		return err
	}
	body, err := b.content(r)
	if err != nil {
		return err
	}
	way, m, err := choose(body, waysIn())
	if err != nil {
		return err
	}
	return way.serve(b, w, r, m)
}

// choose reads a body that goes one of the ways. What is meant by a mixture of two
// nobody knows.
func choose(body []byte, ways []way) (way, members, error) {
	var known, names []string
	for _, way := range ways {
		known, names = append(append(known, way.name), way.beside...), append(names, way.name)
	}
	m, err := parseObject(body, known...)
	if err == nil {
		err = m.notEmpty()
	}
	if err != nil {
		return way{}, nil, err
	}
	for _, way := range ways {
		if _, ok := m[way.name]; !ok {
			continue
		}
		if !m.within(way) {
			return way, nil, invalid("The body mixes members that do not belong together.")
		}
		return way, m, nil
	}
	return way{}, nil, invalid("The body has none of: " + strings.Join(names, ", ") + ".")
}

// within reports whether there are no members but the way's.
func (m members) within(way way) bool {
	for name := range m {
		if name != way.name && !slices.Contains(way.beside, name) {
			return false
		}
	}
	return true
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
	d, err := b.ConnectCodes.Redeem(r.Context(), link.RedeemRequest{Code: secret.New(code), Owner: owner, Person: person})
	return answerConnection(w, r, http.StatusCreated, d, err)
}

func (b backendCall) redeemSession(w http.ResponseWriter, r *http.Request, m members) error {
	code, _, err := m.text("session_code")
	if err != nil {
		return err
	}
	d, err := b.SessionCodes.Redeem(r.Context(), secret.New(code))
	return answerConnection(w, r, http.StatusOK, d, err)
}

func (b backendCall) importCredential(w http.ResponseWriter, r *http.Request, m members) error {
	wanted, err := m.importRequest()
	if err != nil {
		return err
	}
	got, err := b.Connections.Import(r.Context(), wanted)
	return answerConnection(w, r, http.StatusCreated, got.Details, err)
}

// importRequest reads the members of an import: a token with its kind, or a refresh
// token.
func (m members) importRequest() (connection.ImportRequest, error) {
	var wanted connection.ImportRequest
	var token, refresh, kind string
	err := m.texts(map[string]*string{"owner": &wanted.Owner, "token": &token, "kind": &kind, "refresh_token": &refresh})
	if err != nil {
		return wanted, err
	}
	if raw, ok := m["replace"]; ok && json.Unmarshal(raw, &wanted.Replace) != nil {
		return wanted, invalid("replace is true or false.")
	}
	wanted.Token, wanted.RefreshToken, wanted.Kind = secret.New(token), secret.New(refresh), asanaauth.Kind(kind)
	return wanted, nil
}

// ParseImport reads the body of an import as POST /connections takes it, for those who
// have many in a file. Errors: InvalidRequest, with a Detail that repeats nothing.
func ParseImport(body []byte) (connection.ImportRequest, error) {
	_, m, err := choose(body, imports())
	if err != nil {
		return connection.ImportRequest{}, err
	}
	return m.importRequest()
}

func answerConnection(w http.ResponseWriter, r *http.Request, status int, d asanaauth.Details, err error) error {
	if err != nil {
		return err
	}
	noteConnection(r, d.ID)
	return answerJSON(w, status, ConnectionOf(d))
}
