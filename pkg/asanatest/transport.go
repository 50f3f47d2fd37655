package asanatest

import (
	"errors"
	"io"
	"net/http"
)

// Transport returns a [http.RoundTripper] that brings requests for any host
// straight to this Asana: no sockets, no goroutines, good for simulations and
// testing/synctest. A connection that is cut is io.ErrUnexpectedEOF, and an
// ended context is its error.
func (a *Asana) Transport() http.RoundTripper { return transport{a} }

// Client returns a client that talks to this Asana in memory and follows no
// redirect.
func (a *Asana) Client() *http.Client {
	return &http.Client{Transport: a.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type transport struct{ asana *Asana }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	b := buffer{header: http.Header{}}
	if !t.serve(&b, in) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: b.status, Status: http.StatusText(b.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: b.header, Body: io.NopCloser(&b.body), ContentLength: int64(b.body.Len()), Request: r}, nil
}

// serve is false where the connection was cut.
func (t transport) serve(b *buffer, r *http.Request) (answered bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			answered = false
		}
	}()
	t.asana.ServeHTTP(b, r)
	return true
}
