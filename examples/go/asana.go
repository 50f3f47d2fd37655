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

// asana is a client for the two endpoints of Asana's API that this job uses.
type asana struct {
	client  *http.Client // adds the access token of one connection to each request
	baseURL string       // "" means https://app.asana.com
}

var errViewOnly = errors.New("a view-only license cannot write")

// me returns the name of the person or bot that the token belongs to.
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

func (a asana) call(ctx context.Context, method, path, body string, data any) error {
	base := a.baseURL
	if base == "" {
		base = "https://app.asana.com"
	}
	// If Asana responds with 401, the client repeats the request with a new token. The
	// client can send the body again because NewRequestWithContext sets GetBody for a
	// strings.Reader.
	request, err := http.NewRequestWithContext(ctx, method, base+"/api/1.0"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.Do(request)
	if err != nil {
		return err // wraps an *asanaauth.Error if the client could not get a token
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusForbidden && strings.Contains(string(text), "view_only_api_access_failure"):
		return errViewOnly
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("asana responded with %s", resp.Status)
	}
	return json.Unmarshal(text, &struct{ Data any }{data})
}
