package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const marker = "marker-6f1e"

// holder contains secrets in exported and unexported fields, because fmt calls Format
// only for exported fields.
type holder struct {
	Open   secret.String
	closed secret.String
	Sealed secret.Sealed
}

func TestSecretsAreNotPrinted(t *testing.T) {
	h := holder{secret.New(marker), secret.New(marker), secret.Sealed(marker)}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%p", "%08b"} {
		for _, v := range []any{h.Open, &h.Open, h, &h, h.Sealed, []secret.String{h.closed}, map[secret.String]int{h.Open: 1}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, l := range []*slog.Logger{slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&out, nil))} {
		l.Info("m", "open", h.Open, "holder", h, "pointer", &h, "sealed", h.Sealed)
	}
	json.NewEncoder(&out).Encode(h.Open)
	json.NewEncoder(&out).Encode(map[string]any{"h": h.Open})
	json.NewEncoder(&out).Encode(struct{ S secret.String }{h.Open})
	xml.NewEncoder(&out).Encode(struct{ S secret.String }{h.Open})
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", h))

	hex := fmt.Sprintf("%x", marker)
	for _, leak := range []string{marker, hex, strings.ToUpper(hex)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the output contains the secret as %q:\n%s", leak, out.String())
		}
	}
}

func TestReveal(t *testing.T) {
	if got := secret.New(marker).Reveal(); got != marker {
		t.Errorf("Reveal() = %q, want %q", got, marker)
	}
	if got := (secret.String{}).Reveal(); got != "" {
		t.Errorf("Reveal() of the zero value = %q, want \"\"", got)
	}
	if !secret.New("").IsZero() || secret.New(marker).IsZero() {
		t.Error("IsZero() must be true for an empty secret only")
	}
}

func TestEqual(t *testing.T) {
	if !secret.New(marker).Equal(secret.New(marker)) {
		t.Error("Equal() of the same text = false, want true")
	}
	if secret.New(marker).Equal(secret.New(marker+"x")) || secret.New(marker).Equal(secret.String{}) {
		t.Error("Equal() of different texts = true, want false")
	}
}
