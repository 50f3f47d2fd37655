package lambdatest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Do invokes the function with the event for r, as API Gateway would, and returns the
// HTTP response. If API Gateway would respond with 500, Do returns an error.
func (f *Function) Do(r *http.Request) (*http.Response, error) {
	event, err := Event(r, fmt.Sprintf("test-request-%d=", f.requests.Add(1)))
	if err != nil {
		return nil, err
	}
	payload, err := f.Invoke(event)
	if err != nil {
		return nil, err
	}
	return Response(payload, r)
}

// Response converts a function's response, in payload format 2.0, to the HTTP response
// that API Gateway would send to r. For JSON without a status code, Response returns an
// error, although API Gateway would send such JSON as a body.
func Response(payload []byte, r *http.Request) (*http.Response, error) {
	var a struct {
		StatusCode      int
		Headers         map[string]string
		Cookies         []string
		Body            string
		IsBase64Encoded bool
	}
	if err := json.Unmarshal(payload, &a); err != nil {
		return nil, fmt.Errorf("decoding the response: %w", err)
	}
	if a.StatusCode < 200 || a.StatusCode > 599 {
		return nil, fmt.Errorf("the response has the invalid status %d", a.StatusCode)
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return nil, fmt.Errorf("decoding the body: %w", err)
		}
	}
	h := http.Header{}
	for name, v := range a.Headers {
		if strings.EqualFold(name, "Set-Cookie") {
			return nil, errors.New("headers of the response contain Set-Cookie: cookies must be in the member cookies")
		}
		h.Set(name, v)
	}
	for _, c := range a.Cookies {
		h.Add("Set-Cookie", c)
	}
	if len(body) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", a.StatusCode, http.StatusText(a.StatusCode)),
		StatusCode: a.StatusCode, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// Handler returns an HTTP API that forwards each request to a function. The key of a
// function in the map is the first segment of the paths that the function serves. The
// function with the key "connections" also serves /links. Like API Gateway, Handler
// responds with 404 if the function does not exist, and with 500 if the function fails.
//
// For a request to the function "connections" without a SigV4 Authorization header,
// Handler responds with 403. Handler does not check the signature.
func Handler(functions map[string]*Function) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if name == "links" {
			name = "connections"
		}
		f := functions[name]
		if f == nil {
			message(w, http.StatusNotFound, "Not Found")
			return
		}
		if name == "connections" {
			who, ok := signer(r)
			if !ok {
				message(w, http.StatusForbidden, "Forbidden")
				return
			}
			r = As(r, who)
		}
		serve(w, r, f)
	})
}

func serve(w http.ResponseWriter, r *http.Request, f *Function) {
	resp, err := f.Do(r)
	if err != nil {
		message(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

func message(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, text)
}

// signer returns the identity that the SigV4 Authorization header of r claims, without
// checking the signature.
func signer(r *http.Request) (Identity, bool) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return Identity{}, false
	}
	_, credential, ok := strings.Cut(rest, "Credential=")
	if !ok {
		return Identity{}, false
	}
	key, _, _ := strings.Cut(credential, "/")
	return Identity{AccessKey: key, AccountID: "111122223333", CallerID: key, UserID: key,
		UserARN: "arn:aws:iam::111122223333:user/" + key}, key != ""
}
