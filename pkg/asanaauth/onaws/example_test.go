package onaws_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
)

// A backend opens the deployment once, when it starts.
func ExampleOpen() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		panic(err)
	}
	asana, err := onaws.Open(ctx, onaws.Options{
		AWS:             cfg,
		TableName:       os.Getenv("TABLE_NAME"),
		KMSKeyIDs:       strings.Fields(os.Getenv("KMS_KEY_ID")),
		ClientID:        os.Getenv("ASANA_CLIENT_ID"),
		ClientSecretARN: os.Getenv("ASANA_CLIENT_SECRET_ARN"),
		Log:             slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		panic(err) // a line for each mistake
	}
	// Before it ends: a refresh may be under way, whose token must be saved.
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		asana.Tokens().Wait(ctx)
	}()

	// One client a connection, made when it is needed: it costs nothing.
	client := asana.Tokens().HTTPClient("con_…")
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://app.asana.com/api/1.0/users/me", nil)
	answer, err := client.Do(request)
	var trouble *asanaauth.Error
	switch {
	case errors.As(err, &trouble) && trouble.Kind == asanaauth.ReconnectRequired:
		fmt.Println("ask the person to connect again")
	case errors.As(err, &trouble) && trouble.Kind == asanaauth.TryAgain:
		fmt.Println("try again after", trouble.RetryAfter)
	case err != nil:
		fmt.Println(err)
	default:
		defer answer.Body.Close()
		fmt.Println(answer.Status)
	}
}
