package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// connectForm describes one of the alternative forms of the body of POST /connections,
// such as the import of a token. Each form has one member that no other form has.
type connectForm struct {
	name  string   // the name of the member that identifies the form
	other []string // the names of the other members that the form may have
	serve func(backendCall, http.ResponseWriter, *http.Request, members) error
}

func connectForms() []connectForm {
	return append([]connectForm{
		{"connect_code", []string{"owner", "person"}, backendCall.redeem},
		{"session_code", nil, backendCall.redeemSession},
	}, importForms()...)
}

func importForms() []connectForm {
	return []connectForm{
		{"token", []string{"owner", "kind"}, backendCall.importCredential},
		{"refresh_token", []string{"owner", "replace"}, backendCall.importCredential},
	}
}

// connect serves POST /connections.
func (b backendCall) connect(w http.ResponseWriter, r *http.Request) error {
	body, err := content(r)
	if err != nil {
		return err
	}
	form, m, err := parseForm(body, connectForms())
	if err != nil {
		return err
	}
	return form.serve(b, w, r, m)
}

// parseForm returns the form of the body and the body's members. It returns
// InvalidRequest if the body matches no form, has a member that the form does not allow,
// or has an empty string as a value.
func parseForm(body []byte, forms []connectForm) (connectForm, members, error) {
	var known, names []string
	for _, form := range forms {
		names = append(names, form.name)
		for _, name := range append([]string{form.name}, form.other...) {
			if !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
	}
	m, err := parseObject(body, known...)
	if err == nil {
		err = m.checkNotEmpty()
	}
	if err != nil {
		return connectForm{}, nil, err
	}
	for _, form := range forms {
		if _, ok := m[form.name]; ok {
			return form, m, m.checkForm(form)
		}
	}
	return connectForm{}, nil, invalid("The body must have one of these members: " + strings.Join(names, ", ") + ".")
}

// checkForm returns InvalidRequest if the body has a member that the form does not allow.
func (m members) checkForm(form connectForm) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		switch {
		case name == form.name, slices.Contains(form.other, name):
		case len(form.other) == 0:
			return invalid(name + " must not be given with " + form.name + ".")
		default:
			return invalid(name + " must not be given with " + form.name + ". " + accepted(form.other))
		}
	}
	return nil
}

func (m members) checkNotEmpty() error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if string(m[name]) == `""` {
			return invalid(name + " must not be empty.")
		}
	}
	return nil
}

func (b backendCall) redeem(w http.ResponseWriter, r *http.Request, m members) error {
	var code, owner, person string
	if err := m.texts(map[string]*string{"connect_code": &code, "owner": &owner, "person": &person}); err != nil {
		return err
	}
	got, err := b.ConnectCodes.Redeem(r.Context(), link.RedeemRequest{Code: secret.New(code), Owner: owner, Person: person})
	status := http.StatusCreated
	if got.Already {
		status = http.StatusOK
	}
	return respondConnection(w, r, status, got.Details, err)
}

func (b backendCall) redeemSession(w http.ResponseWriter, r *http.Request, m members) error {
	code, _, err := m.text("session_code")
	if err != nil {
		return err
	}
	d, err := b.SessionCodes.Redeem(r.Context(), secret.New(code))
	return respondConnection(w, r, http.StatusOK, d, err)
}

func (b backendCall) importCredential(w http.ResponseWriter, r *http.Request, m members) error {
	wanted, err := m.importRequest()
	if err != nil {
		return err
	}
	got, err := b.Connections.Import(r.Context(), wanted)
	return respondConnection(w, r, http.StatusCreated, got.Details, err)
}

// importRequest returns the import that the members describe. It checks only the JSON
// types of the members, because [connection.Connections.Import] checks their values.
func (m members) importRequest() (connection.ImportRequest, error) {
	var wanted connection.ImportRequest
	var token, refresh, kind string
	err := m.texts(map[string]*string{"owner": &wanted.Owner, "token": &token, "kind": &kind, "refresh_token": &refresh})
	if err != nil {
		return wanted, err
	}
	if wanted.Replace, err = m.flag("replace"); err != nil {
		return wanted, err
	}
	wanted.Token, wanted.RefreshToken, wanted.Kind = secret.New(token), secret.New(refresh), asanaauth.Kind(kind)
	return wanted, nil
}

// ParseImport parses the JSON body of an import, in the form that POST /connections
// accepts. A program that imports many credentials from a file can call ParseImport for
// each of them. ParseImport returns InvalidRequest if the body is not valid. The error's
// Detail contains no part of the body.
func ParseImport(body []byte) (connection.ImportRequest, error) {
	_, m, err := parseForm(body, importForms())
	if err != nil {
		return connection.ImportRequest{}, err
	}
	return m.importRequest()
}

func respondConnection(w http.ResponseWriter, r *http.Request, status int, d asanaauth.Details, err error) error {
	if err != nil {
		return err
	}
	lineOf(r.Context()).connection = d.ID
	return respondJSON(w, status, ConnectionOf(d))
}
