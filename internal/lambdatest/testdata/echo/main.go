// Command echo is a Lambda function for the tests of lambdatest. The function responds
// with a description of the request. The environment variable MODE selects a different
// behavior, such as a failure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/asanaauth/asanaauth/internal/lambdahttp"
)

func main() {
	fmt.Println("starting", os.Getenv("MODE"))
	switch os.Getenv("MODE") {
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot start")
		os.Exit(1)
	case "error":
		lambda.Start(func() error { return errors.New("no luck") })
	case "crash":
		lambda.Start(func() { os.Exit(3) })
	case "event":
		lambda.Start(func(_ context.Context, e json.RawMessage) (json.RawMessage, error) { return e, nil })
	default:
		lambda.Start(lambdahttp.New(http.HandlerFunc(echo), lambdahttp.Options{}))
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	who, _ := lambdahttp.IAM(r.Context())
	_, deadline := r.Context().Deadline()
	http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
	http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusTeapot)
	json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "uri": r.RequestURI, "host": r.Host, "cookie": r.Header.Get("Cookie"),
		"accept": r.Header.Values("Accept"), "body": string(body), "arn": who.UserARN, "deadline": deadline,
		"id": lambdahttp.RequestID(r.Context()) != "", "home": os.Getenv("HOME"), "env": os.Getenv("SOME"),
	})
}
