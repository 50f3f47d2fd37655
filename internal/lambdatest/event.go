package lambdatest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
)

// Identity is the IAM identity that API Gateway's IAM authorizer adds to an event.
type Identity struct {
	AccessKey      string `json:"accessKey"`
	AccountID      string `json:"accountId"`
	CallerID       string `json:"callerId"`
	PrincipalOrgID string `json:"principalOrgId"`
	UserARN        string `json:"userArn"`
	UserID         string `json:"userId"`
}

type identityKey struct{}

// As returns a copy of r for which [Event] returns an event with the IAM identity who.
// API Gateway adds the identity to an event after it has verified the request's
// signature.
func As(r *http.Request, who Identity) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), identityKey{}, who))
}

type object = map[string]any

// Event returns the event with which an API Gateway HTTP API would invoke a function for
// the request r. The event is JSON in payload format 2.0. Event reads the body of r.
func Event(r *http.Request, requestID string) ([]byte, error) {
	headers, cookies := eventHeaders(r)
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = "127.0.0.1" // r is a client request, which has no RemoteAddr
	}
	now, path := time.Now().UTC(), rawPath(r)
	route := r.Method + " " + path
	rc := object{
		"accountId": "111122223333", "apiId": "test", "domainName": r.Host, "domainPrefix": "test",
		"http":      object{"method": r.Method, "path": path, "protocol": "HTTP/1.1", "sourceIp": ip, "userAgent": r.UserAgent()},
		"requestId": requestID, "routeKey": route, "stage": "$default",
		"time": now.Format("02/Jan/2006:15:04:05 +0000"), "timeEpoch": now.UnixMilli(),
	}
	if who, ok := r.Context().Value(identityKey{}).(Identity); ok {
		rc["authorizer"] = object{"iam": who}
	}
	e := object{
		"version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": r.URL.RawQuery,
		"headers": headers, "requestContext": rc, "isBase64Encoded": false,
	}
	if len(cookies) > 0 {
		e["cookies"] = cookies
	}
	if err := addBody(e, headers, r); err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

func rawPath(r *http.Request) string {
	if r.RequestURI != "" {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	if path := r.URL.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// eventHeaders returns the headers and the cookies of r as in payload format 2.0: header
// names are in lower case, and the values of a repeated header are joined with commas.
func eventHeaders(r *http.Request) (headers map[string]string, cookies []string) {
	headers = map[string]string{"host": r.Host, "x-forwarded-port": "443", "x-forwarded-proto": "https"}
	if r.Host == "" {
		headers["host"] = r.URL.Host
	}
	for name, values := range r.Header {
		switch name = strings.ToLower(name); name {
		case "cookie":
			for _, v := range values {
				for _, c := range strings.Split(v, ";") {
					cookies = append(cookies, strings.TrimSpace(c))
				}
			}
		case "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "x-forwarded-port", "x-forwarded-proto":
		default:
			headers[name] = strings.Join(values, ",")
		}
	}
	return headers, cookies
}

// addBody adds the body of r to the event e. Like API Gateway, addBody encodes the body
// in base64 unless the content type is text, JSON, JavaScript or XML.
func addBody(e object, headers map[string]string, r *http.Request) error {
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil || len(body) == 0 {
		return err
	}
	headers["content-length"] = fmt.Sprint(len(body))
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if strings.HasPrefix(t, "text/") || t == "application/json" || t == "application/javascript" || t == "application/xml" {
		e["body"] = string(body)
		return nil
	}
	e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	return nil
}
