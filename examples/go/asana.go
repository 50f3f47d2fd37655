package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// asana is what this job wants of Asana's API.
type asana struct {
	client  *http.Client // a connection's
	baseURL string       // empty: the real Asana's
}

var errViewOnly = errors.New("a view only licence cannot write")

// me gives the name of whom the token is of: a person's, or a bot's.
func (a asana) me(ctx context.Context) (string, error) {
	var user struct{ Name string }
	err := a.call(ctx, http.MethodGet, "/users/me", "", &user)
	return user.Name, err
}

func (a asana) createTask(ctx context.Context, workspace, name string) (gid string, err error) {
	body, err := json.Marshal(map[string]any{"data": map[string]string{"workspace": workspace, "name": name}})
	if err != nil {
		return "", err
	}
	var task struct{ GID string }
	err = a.call(ctx, http.MethodPost, "/tasks", string(body), &task)
	return task.GID, err
}

// call sends a request, and reads the member data of the answer.
func (a asana) call(ctx context.Context, method, path, body string, data any) error {
	base := a.baseURL
	if base == "" {
		base = "https://app.asana.com"
	}
	// Of a strings.Reader net/http knows how to send it again, which the client does
	// after a 401, with a new token.
	request, err := http.NewRequestWithContext(ctx, method, base+"/api/1.0"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return err // an *asanaauth.Error is in it
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case answer.StatusCode == http.StatusForbidden && strings.Contains(string(text), "view_only_api_access_failure"):
		return errViewOnly
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("asana answers %s", answer.Status)
	}
	return json.Unmarshal(text, &struct{ Data any }{data})
}
