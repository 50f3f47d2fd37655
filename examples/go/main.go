// A SaaS backend's nightly job in Go: for one customer, it makes a task in a workspace
// of Asana as each person who connected their account.
//
//	go run ./examples/go OWNER WORKSPACE
//
// OWNER is the app's own name for the customer, WORKSPACE a gid. The variables are
// those of the deployment's functions: TABLE_NAME, KMS_KEY_ID, ASANA_CLIENT_ID,
// ASANA_CLIENT_SECRET_ARN, PUBLIC_URL, RETURN_URLS, ASANA_SCOPES; and ASANA_BASE_URL
// where Asana is an offline one. AWS is reached as by the AWS CLI.
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
	// Once in a process's life. All that is wrong with the options is told at once.
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
		// Audit lines and alarms: a production service keeps them.
		Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	// A refresh may be under way when we end, and its new token has to be kept.
	defer settle(d)

	var page connection.Page
	for {
		list, next, err := d.Connections().List(ctx, connection.Query{Owner: owner}, page)
		if err != nil {
			return err
		}
		for _, conn := range list {
			fmt.Printf("%s: %s\n", conn.ID, outcome(ctx, d, conn, workspace))
		}
		if page.Cursor = next; next == "" {
			return ctx.Err()
		}
	}
}

func settle(d *onaws.Deployment) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	d.Tokens().Wait(ctx)
}

// outcome works for one connection, and says in words what came of it.
func outcome(ctx context.Context, d *onaws.Deployment, conn asanaauth.Details, workspace string) string {
	// Cheap: make one when it is needed. It reads the token anew for each request,
	// and reports one that Asana refused; nothing else is to do about tokens.
	api := asana{client: d.Tokens().HTTPClient(conn.ID), baseURL: os.Getenv("ASANA_BASE_URL")}
	var name, task string
	err := patiently(ctx, func() (err error) {
		name, err = api.me(ctx)
		return err
	})
	if err == nil {
		// Not again and again: a task whose answer was lost would be made twice.
		task, err = api.createTask(ctx, workspace, "From asanaauth")
	}
	switch {
	case err == nil:
		return name + " made the task " + task
	case errors.Is(err, errViewOnly):
		// A licence is known for certain by trying alone: Asana tells it beforehand
		// only to tokens with full permissions. Nothing is broken: tell the person.
		return name + " has a view only licence there, and cannot make tasks"
	case asanaauth.KindOf(err) == asanaauth.ReconnectRequired:
		return "has to connect again: " + invite(ctx, d, conn)
	}
	return "not tonight: " + err.Error()
}

// invite makes a link for the one who has to connect again, which the app shows or
// sends to them. Its URL is for that person alone.
func invite(ctx context.Context, d *onaws.Deployment, conn asanaauth.Details) string {
	made, err := d.Links().Create(ctx, link.Request{
		Owner:     conn.Owner,
		AsanaUser: conn.AttributedTo.GID, // not by mistake with another account
	})
	if err != nil {
		return err.Error()
	}
	return made.URL.Reveal()
}

// patiently tries again where waiting helps, for what may be asked twice.
func patiently(ctx context.Context, ask func() error) error {
	for try := 1; ; try++ {
		err := ask()
		var trouble *asanaauth.Error
		passing := errors.As(err, &trouble) && (trouble.Kind == asanaauth.TryAgain || trouble.Kind == asanaauth.AsanaUnavailable)
		if !passing || try == 4 {
			return err
		}
		select {
		case <-time.After(max(trouble.RetryAfter, time.Duration(try)*time.Second)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
