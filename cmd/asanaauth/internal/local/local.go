// Package local implements the command "asanaauth local", which runs asanaauth in one
// process.
//
// The command uses the same HTTP handlers as the Lambda functions. The rows are in a file
// instead of DynamoDB, and are encrypted with a local key instead of KMS. Unless the real
// Asana is configured, the command also serves an offline Asana, on another origin. The
// command is for one developer on one machine, and not for production.
//
// To follow a request, read listen.go, then guard.go, which checks Host and Origin, and
// then parts.go, which contains the mux. The command also serves a web page, which
// page.go and routes.go implement. The page shows a trace of requests, which trace.go and
// traced.go implement.
package local

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// Run serves requests until ctx is canceled, finishes the requests in progress, and
// returns. When the service is ready for requests, Run prints "ready" and the service's
// URL as the last line on stdout. Run logs to stderr. lookup returns environment
// variables, like [os.LookupEnv]. While Run serves requests, operate runs the commands of
// "asanaauth connections" that other processes send.
//
// Every change is written to disk before the response is sent. Therefore killing the
// process loses no change that a response has confirmed. Returned errors are shown to users.
func Run(ctx context.Context, f Flags, lookup func(string) (string, bool), operate Operator, stdout, stderr io.Writer) error {
	log := slog.New(httpapi.LogHandler(slog.NewJSONHandler(stderr, nil)))
	l, err := openListeners(f, !env.NewReader(lookup).Set("ASANA_CLIENT_ID"))
	if err != nil {
		return err
	}
	defer l.close()
	c, err := configure(ctx, f, l, lookup, log)
	if err != nil {
		return err
	}
	d, err := openData(f.Data)
	if err != nil {
		return err
	}
	defer d.rows.Close()
	servers, conns, err := newServers(f, c, d, l, log)
	if err != nil {
		return err
	}
	remove, err := servers.addControl(control{conns: conns, rows: d.rows, operate: operate}, d)
	if err != nil {
		return err
	}
	defer remove()
	log.WarnContext(ctx, "asanaauth local is not for production", "data", d.folder, "asana", servers.asanaURL, "listening", l.serviceURL())
	return servers.run(ctx, func() {
		if c.madeKey {
			fmt.Fprintf(stdout, "backend-key %s\n", c.backendKey.Reveal())
		}
		if c.madeSecret {
			fmt.Fprintf(stdout, "backend-secret %s\n", c.backendSecret.Reveal())
		}
		if c.offline {
			fmt.Fprintf(stdout, "offline-asana %s\n", servers.asanaURL)
		}
		fmt.Fprintf(stdout, "ready %s\n", c.publicURL)
	})
}

// configure returns one error that names all missing or malformed variables.
func configure(ctx context.Context, f Flags, l *listeners, lookup func(string) (string, bool), log *slog.Logger) (config, error) {
	r := env.NewReader(lookup)
	c := readConfig(r, f, l.serviceURL())
	if err := r.Err(); err != nil {
		return config{}, fmt.Errorf("correct these environment variables:\n%w", err)
	}
	for _, w := range r.Warnings() {
		log.WarnContext(ctx, "a variable is probably wrong", "err", w)
	}
	for _, name := range c.unused(r) {
		log.WarnContext(ctx, "a variable is ignored, because ASANA_CLIENT_ID is not set and offline Asana is used", "name", name)
	}
	if !c.ownPublicURL {
		log.WarnContext(ctx, "PUBLIC_URL is set: anyone who can reach it can reach this process")
	}
	if !c.offline {
		log.InfoContext(ctx, "register this redirect URL with your Asana app", "redirect_uri", c.redirectURI())
	}
	if len(f.Hosts) > 0 {
		log.WarnContext(ctx, "-host is set: pages on these hosts can reach this process", "hosts", f.Hosts)
	}
	if f.AllowNonLoopback {
		log.WarnContext(ctx, "-allow-non-loopback is set: other machines can reach this process")
	}
	return c, nil
}

func newServers(f Flags, c config, d *data, l *listeners, log *slog.Logger) (*servers, *connection.Connections, error) {
	t := &trace{}
	own := &ownRoutes{rows: d.rows, trace: t, log: log}
	s := &servers{log: log}
	if c.offline {
		offline, err := newOffline(&c, d.path(asanaFile), l.asanaURL())
		if err != nil {
			return nil, nil, err
		}
		own.offline = offline
		hosts := ownHosts(f.AsanaAddr, l.asanaPort)
		s.add("offline Asana", l.asana, &guard{
			next:  traceRequests(t, theAsana, isConsent, offline),
			hosts: hosts, origins: httpOrigins(hosts), log: log,
			originDetail: "Only pages of the offline Asana may send this request.",
		})
	}
	s.asanaURL = c.baseURL
	r, err := newComponents(c, d, t, log)
	if err != nil {
		return nil, nil, err
	}
	s.waitRefreshes = r.tokens.Wait
	mux, err := serviceRoutes(c, r, log)
	if err != nil {
		return nil, nil, err
	}
	own.page = newPageData(c, d.folder)
	own.addTo(mux)
	hosts := ownHosts(f.Addr, l.servicePort, extraHosts(c, f)...)
	guarded := &guard{
		next:      traceRequests(t, theService, isServiceRequest, &signatures{mux, c.backendKey, c.backendSecret, log}),
		hosts:     hosts,
		origins:   append(httpOrigins(hosts), append(c.allowedOrigins, c.publicURL)...),
		log:       log,
		anyOrigin: "/callback",

		originDetail: "The origin in the Origin header is not allowed. Add the origin of your app to ALLOWED_ORIGINS, without a slash at the end.",
	}
	s.add("asanaauth", l.service, onlyHTTPS(c.publicURL, &refusals{next: guarded, returnURLs: c.returnURLs, origins: c.allowedOrigins, log: log}))
	return s, r.connections, nil
}

func extraHosts(c config, f Flags) []string {
	hosts := append([]string{}, f.Hosts...)
	if u, err := url.Parse(c.publicURL); err == nil && !c.ownPublicURL {
		hosts = append(hosts, u.Host)
	}
	return hosts
}
