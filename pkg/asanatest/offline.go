package asanatest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

type controls struct{ asana *Asana }

// The dispatcher does not lock the mutex for these endpoints, so the handlers must lock
// it.
func (c *controls) routes(mux *http.ServeMux) {
	mux.Handle("GET /{$}", http.RedirectHandler("/_offline/", http.StatusSeeOther))
	mux.Handle("GET /_offline", http.RedirectHandler("/_offline/", http.StatusSeeOther))
	mux.HandleFunc("GET /_offline/{$}", c.showPage)
	mux.HandleFunc("GET /_offline/style.css", showStyle)
	mux.HandleFunc("GET /_offline/switches", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, c.asana.Switches()) })
	mux.HandleFunc("PUT /_offline/switches", sameOrigin(c.putSwitches))
	mux.HandleFunc("POST /_offline/set", sameOrigin(c.setSwitch))
	mux.HandleFunc("POST /_offline/reset", sameOrigin(action(c.asana.Reset)))
	mux.HandleFunc("POST /_offline/expire", sameOrigin(action(c.asana.ExpireAccessTokens)))
	mux.HandleFunc("POST /_offline/revoke", sameOrigin(action(func() error { return c.asana.RevokeGrants("") })))
	mux.HandleFunc("POST /_offline/faults", sameOrigin(c.postFault))
	mux.HandleFunc("DELETE /_offline/faults", sameOrigin(action(func() error { c.asana.ClearFaults(); return nil })))
	mux.HandleFunc("POST /_offline/tokens", sameOrigin(c.postToken))
	mux.HandleFunc("GET /_offline/requests", c.showRequests)
	mux.HandleFunc("GET /_offline/people", c.showPeople)
}

func sameOrigin(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if crossSite(r) {
			http.Error(w, "request comes from a page of another origin", http.StatusForbidden)
			return
		}
		h(w, r)
	}
}

func action(act func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { writeResult(w, r, act()) }
}

// writeResult responds with status 204 if err is nil, and otherwise with the error. If a
// form on the page at /_offline/ sent the request, writeResult instead redirects the
// browser to that page, or shows an error page.
func writeResult(w http.ResponseWriter, r *http.Request, err error) {
	fromPage := r.PostFormValue("from") == "page"
	switch {
	case err != nil && fromPage:
		writePage(w, http.StatusBadRequest, "failed", map[string]any{"Error": errorText(err)})
	case err != nil:
		refuseOffline(w, err)
	case fromPage:
		http.Redirect(w, r, "/_offline/", http.StatusSeeOther)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// refuseOffline sends the text of err. Errors of the endpoints under /_offline/ do not
// contain secrets.
func refuseOffline(w http.ResponseWriter, err error) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": errorText(err)})
}

func errorText(err error) string { return strings.TrimPrefix(err.Error(), "asanatest: ") }

func (c *controls) putSwitches(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = c.asana.changeSwitches(func(s Switches) (Switches, error) { return s.patch(body) })
	}
	if err != nil {
		refuseOffline(w, err)
		return
	}
	writeJSON(w, http.StatusOK, c.asana.Switches())
}

// Each form on the page at /_offline/ contains the name and the new value of one switch.
func (c *controls) setSwitch(w http.ResponseWriter, r *http.Request) {
	name, value := r.PostFormValue("name"), r.PostFormValue("value")
	var err error = errors.New("unknown switch")
	for f := range fieldsOf(Switches{}) {
		if f.Tag.Get("json") == name {
			raw := []byte(value)
			if f.Type.Kind() == reflect.String || !json.Valid(raw) {
				raw, _ = json.Marshal(value)
			}
			body, _ := json.Marshal(map[string]json.RawMessage{name: raw})
			err = c.asana.changeSwitches(func(s Switches) (Switches, error) { return s.patch(body) })
		}
	}
	writeResult(w, r, err)
}

func (c *controls) postFault(w http.ResponseWriter, r *http.Request) {
	var f struct {
		Fault
		DelayMS       int64 `json:"delay_ms"`
		AnswerDelayMS int64 `json:"answer_delay_ms"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		refuseOffline(w, err)
		return
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) || f.DelayMS < 0 || f.AnswerDelayMS < 0 {
		refuseOffline(w, errors.New("status must be between 200 and 599, and delays must not be negative"))
		return
	}
	f.Delay, f.AnswerDelay = time.Duration(f.DelayMS)*time.Millisecond, time.Duration(f.AnswerDelayMS)*time.Millisecond
	c.asana.Inject(f.Fault)
	w.WriteHeader(http.StatusNoContent)
}

func (c *controls) postToken(w http.ResponseWriter, r *http.Request) {
	var body struct{ Person string }
	if body.Person = r.PostFormValue("person"); body.Person == "" {
		json.NewDecoder(r.Body).Decode(&body)
	}
	value := c.asana.PersonalAccessToken(body.Person)
	if value == "" {
		value = c.asana.ServiceAccountToken(body.Person)
	}
	if value == "" {
		refuseOffline(w, errors.New("unknown person"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"token": value})
}

func (c *controls) showRequests(w http.ResponseWriter, _ *http.Request) {
	requests := c.asana.Requests()
	if requests == nil {
		requests = []Request{}
	}
	writeJSON(w, http.StatusOK, requests)
}

// A program can choose a person from the response of showPeople and sign in as that
// person.
func (c *controls) showPeople(w http.ResponseWriter, _ *http.Request) {
	c.asana.mu.Lock()
	defer c.asana.mu.Unlock()
	list := []map[string]any{}
	for _, p := range c.asana.directory.people {
		var memberships []map[string]any
		for _, m := range p.Memberships {
			memberships = append(memberships, map[string]any{"gid": m.GID, "workspace": m.Workspace.GID, "workspace_name": m.Workspace.Name,
				"is_active": !m.Inactive, "is_admin": m.Admin, "is_guest": m.Guest, "is_view_only": m.ViewOnly})
		}
		list = append(list, map[string]any{"gid": p.GID, "name": p.Name, "email": p.Email, "is": p.standing(), "service_account": p.ServiceAccount, "memberships": memberships})
	}
	writeJSON(w, http.StatusOK, list)
}

func (c *controls) showPage(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		SwitchInfo
		Value, Input string
		Changed      bool
	}
	type group struct {
		Name string
		Rows []row
	}
	c.asana.mu.Lock()
	defer c.asana.mu.Unlock()
	now := reflect.ValueOf(c.asana.memory.Switches)
	var groups []group
	for i, info := range SwitchTable() {
		if len(groups) == 0 || groups[len(groups)-1].Name != info.Group {
			groups = append(groups, group{Name: info.Group})
		}
		r := row{SwitchInfo: info, Value: switchText(now.Field(i)), Input: "number"}
		if now.Field(i).Kind() == reflect.String {
			r.Input = "text"
		}
		raw, _ := json.Marshal(now.Field(i).Interface())
		r.Changed = string(raw) != info.Default
		groups[len(groups)-1].Rows = append(groups[len(groups)-1].Rows, r)
	}
	writePage(w, http.StatusOK, "offline", map[string]any{"Groups": groups, "People": c.asana.directory.people, "Apps": c.asana.directory.apps})
}

func switchText(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	}
	return v.String()
}

func fieldsOf(v any) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if !yield(f) {
				return
			}
		}
	}
}
