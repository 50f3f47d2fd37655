// Package local runs asanaauth in one process: the handlers of the functions, a
// table in a file, a local key in place of KMS, and offline Asana on an origin of
// its own. It is for one person at one machine, and not for production.
//
// A request's way: listen.go, guard.go (Host and Origin), parts.go (the mux of
// the functions' handlers, and the rules behind them); the page and what it asks
// for are in routes.go and page.go.
package local

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// Run serves until ctx ends. It prints "ready" and the address on stdout as its
// last line there, and logs to stderr. All that it answered is on the disk by then, whatever ends it.
func Run(ctx context.Context, f Flags, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	log := slog.New(httpapi.LogHandler(slog.NewJSONHandler(stderr, nil)))
	l, err := openListeners(f, !env.NewReader(lookup).Set("ASANA_CLIENT_ID"))
	if err != nil {
		return err
	}
	defer l.close()
	c, err := settle(ctx, f, l, lookup, log)
	if err != nil {
		return err
	}
	d, err := openData(f.Data)
	if err != nil {
		return err
	}
	defer d.rows.Close()
	servers, err := newServers(f, c, d, l, log)
	if err != nil {
		return err
	}
	log.WarnContext(ctx, "asanaauth local is not for production", "data", d.folder, "asana", servers.asanaURL, "listening", l.serviceURL())
	return servers.run(ctx, func() {
		if c.madeKey {
			fmt.Fprintf(stdout, "backend-key %s\n", c.backendKey.Reveal())
		}
		if c.offline {
			fmt.Fprintf(stdout, "offline-asana %s\n", servers.asanaURL)
		}
		fmt.Fprintf(stdout, "ready %s\n", c.publicURL)
	})
}

// settle reads the variables, or tells all that is wrong with them.
func settle(ctx context.Context, f Flags, l *listeners, lookup func(string) (string, bool), log *slog.Logger) (config, error) {
	r := env.NewReader(lookup)
	c := readConfig(r, f.BackendKey, l.serviceURL())
	if err := r.Err(); err != nil {
		return config{}, fmt.Errorf("variables:\n%w", err)
	}
	for _, w := range r.Warnings() {
		log.WarnContext(ctx, "odd configuration", "err", w)
	}
	for _, name := range c.unused(r) {
		log.WarnContext(ctx, "a variable is not used, because offline Asana runs where ASANA_CLIENT_ID is not set", "name", name)
	}
	if !c.ownPublicURL {
		log.WarnContext(ctx, "PUBLIC_URL is set: whoever can reach it reaches this process")
	}
	if !c.offline {
		log.InfoContext(ctx, "the Asana app needs this redirect URL", "redirect_uri", c.redirectURI())
	}
	if len(f.Hosts) > 0 {
		log.WarnContext(ctx, "-host is set: pages of these hosts reach this process", "hosts", f.Hosts)
	}
	if f.AllowNonLoopback {
		log.WarnContext(ctx, "-allow-non-loopback is set: other machines may reach this process")
	}
	return c, nil
}

// newServers puts handlers behind guards on the listeners.
func newServers(f Flags, c config, d *data, l *listeners, log *slog.Logger) (*servers, error) {
	t := &trace{}
	own := &ownRoutes{rows: d.rows, trace: t, log: log}
	s := &servers{log: log}
	if c.offline {
		offline, err := newOffline(&c, d.path(asanaFile), l.asanaURL())
		if err != nil {
			return nil, err
		}
		own.offline = offline
		hosts := ownHosts(f.AsanaAddr, l.asanaPort)
		s.add("offline Asana", l.asana, &guard{
			next:  traceRequests(t, theAsana, isConsent, offline),
			hosts: hosts, origins: httpOrigins(hosts), log: log,
		})
	}
	s.asanaURL = c.baseURL
	r, err := newRooms(c, d, t, log)
	if err != nil {
		return nil, err
	}
	s.settle = r.tokens.Wait
	mux, err := serviceRoutes(c, r, log)
	if err != nil {
		return nil, err
	}
	own.page = newPageData(c, d.folder)
	own.addTo(mux)
	hosts := ownHosts(f.Addr, l.servicePort, hostsOf(c, f)...)
	s.add("asanaauth", l.service, &guard{
		next:    traceRequests(t, theService, isProduct, mux),
		hosts:   hosts,
		origins: append(httpOrigins(hosts), append(c.allowedOrigins, c.publicURL)...),
		log:     log,
		foreign: "/callback",
	})
	return s, nil
}

// hostsOf are the hosts that the configuration adds.
func hostsOf(c config, f Flags) []string {
	hosts := append([]string{}, f.Hosts...)
	if u, err := url.Parse(c.publicURL); err == nil && !c.ownPublicURL {
		hosts = append(hosts, u.Host)
	}
	return hosts
}
