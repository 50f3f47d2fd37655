// This program is an example of a SaaS backend's nightly job in Go. The job lists the
// connections of one customer, and uses each connection to create a task in an Asana
// workspace.
//
//	go run ./examples/go OWNER WORKSPACE
//
// OWNER is the app's own name for the customer. WORKSPACE is the gid of the workspace.
// The program reads the same environment variables as the deployed functions: TABLE_NAME,
// KMS_KEY_ID, ASANA_CLIENT_ID, ASANA_CLIENT_SECRET_ARN, PUBLIC_URL, RETURN_URLS and
// ASANA_SCOPES. INSTALLATION is optional. Set ASANA_BASE_URL to use an offline Asana. The
// program gets its AWS region and credentials from the same places as the AWS CLI.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run ./examples/go OWNER WORKSPACE")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, owner, workspace string) error {
	// Call onaws.Open only once per process. If options are missing or invalid, Open
	// returns an error that lists all of them.
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	d, err := onaws.Open(ctx, onaws.Options{
		AWS:             cfg,
		TableName:       os.Getenv("TABLE_NAME"),
		Installation:    os.Getenv("INSTALLATION"),
		KMSKeyIDs:       strings.Fields(os.Getenv("KMS_KEY_ID")),
		ClientID:        os.Getenv("ASANA_CLIENT_ID"),
		ClientSecretARN: os.Getenv("ASANA_CLIENT_SECRET_ARN"),
		AsanaBaseURL:    os.Getenv("ASANA_BASE_URL"),
		AuthorizeURL:    os.Getenv("PUBLIC_URL") + "/authorize",
		ReturnURLs:      strings.Fields(os.Getenv("RETURN_URLS")),
		Scopes:          os.Getenv("ASANA_SCOPES"),
		// The log contains audit events and alarms. A production service should store the
		// log.
		Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	// Wait for refreshes in progress. Otherwise their new tokens could be lost.
	defer wait(d)

	var page connection.Page
	for {
		list, next, err := d.Connections().List(ctx, connection.Query{Owner: owner}, page)
		if err != nil {
			return err
		}
		for _, conn := range list {
			fmt.Printf("%s: %s\n", conn.ID, process(ctx, d, conn, workspace))
		}
		if page.Cursor = next; next == "" {
			return ctx.Err()
		}
	}
}

func wait(d *onaws.Deployment) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d.Tokens().Wait(ctx)
}

func process(ctx context.Context, d *onaws.Deployment, conn asanaauth.Details, workspace string) string {
	// Creating an HTTP client is cheap. The client adds the current access token to each
	// request. If Asana responds with 401, the client gets a new token and repeats the
	// request. This program never handles tokens itself.
	api := asana{client: d.Tokens().HTTPClient(conn.ID), baseURL: os.Getenv("ASANA_BASE_URL")}
	var name, task string
	err := retry(ctx, func() (err error) {
		name, err = api.me(ctx)
		return err
	})
	if err == nil {
		// Do not retry this request. If Asana created the task but the response was lost,
		// a retry would create a second task.
		task, err = api.createTask(ctx, workspace, "From asanaauth")
	}
	switch {
	case err == nil:
		return name + " created the task " + task
	case errors.Is(err, errViewOnly):
		// With a token that has granular scopes, the program cannot read the license of
		// the person, so only a failed write shows that the license is view-only. The
		// connection still works, so the person does not have to connect again.
		return name + " has a view-only license in this workspace and cannot create tasks"
	case asanaauth.KindOf(err) == asanaauth.ReconnectRequired:
		return "has to connect again: " + invite(ctx, d, conn)
	}
	return "failed: " + err.Error()
}

// invite returns the URL of a link with which the person can connect again. A real app
// must show the URL only to that person.
func invite(ctx context.Context, d *onaws.Deployment, conn asanaauth.Details) string {
	made, err := d.Links().Create(ctx, link.Request{
		Owner:     conn.Owner,
		AsanaUser: conn.AttributedTo.GID, // refuse another Asana account
	})
	if err != nil {
		return err.Error()
	}
	return made.URL.Reveal()
}

// retry calls f up to four times, until f returns nil or an error that is not temporary.
// f must be safe to call several times.
func retry(ctx context.Context, f func() error) error {
	for attempt := 1; ; attempt++ {
		err := f()
		var e *asanaauth.Error
		temporary := errors.As(err, &e) && (e.Kind == asanaauth.TryAgain || e.Kind == asanaauth.AsanaUnavailable)
		if !temporary || attempt == 4 {
			return err
		}
		select {
		case <-time.After(max(e.RetryAfter, time.Duration(attempt)*time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
