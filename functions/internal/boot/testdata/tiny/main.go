// Command tiny is the smallest Lambda function that uses package boot. The tests of boot
// run it.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/internal/env"
)

func main() { boot.Run(newHandler, problem) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r := env.NewReader(lookup)
	boot.AWS(r)
	r.String("TABLE_NAME")
	r.Scopes("ASANA_SCOPES")
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, func(context.Context) error { return fmt.Errorf("%d threads at init", runtime.GOMAXPROCS(0)) })
	return boot.DropStaleConns(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("hunter2")
		}
		fmt.Fprintf(w, "%d thread", runtime.GOMAXPROCS(0))
	}), nil), nil
}

func problem(w http.ResponseWriter, id string, status int) {
	w.Header().Set("X-Request-Id", id)
	w.WriteHeader(status)
}
