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

// A backend opens the deployment once, when the backend starts. The backend then makes an
// HTTP client for each connection.
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
		panic(err) // err names every option that is wrong
	}
	// A refresh may not have saved its token yet, so wait for it before the program ends.
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		asana.Tokens().Wait(ctx)
	}()

	// HTTPClient is cheap and sends no request, so you need not keep the client.
	client := asana.Tokens().HTTPClient("con_…")
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://app.asana.com/api/1.0/users/me", nil)
	resp, err := client.Do(request)
	var e *asanaauth.Error
	switch {
	case errors.As(err, &e) && e.Kind == asanaauth.ReconnectRequired:
		fmt.Println("ask the person to connect again")
	case errors.As(err, &e) && e.Kind == asanaauth.TryAgain:
		fmt.Println("try again after", e.RetryAfter)
	case err != nil:
		fmt.Println(err)
	default:
		defer resp.Body.Close()
		fmt.Println(resp.Status)
	}
}
