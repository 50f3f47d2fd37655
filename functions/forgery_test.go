package functions_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// TestForeignKeyring checks that a function does not use a keyring that is encrypted with
// a KMS key other than the key in KMS_KEY_ID. Otherwise an attacker who can write to the
// table could store their own keyring. The functions would then encrypt tokens with a
// keyring that the attacker knows.
func TestForeignKeyring(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	foreign := d.key(t)
	ring, err := seal.NewRing(rand.Reader, d.table, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.keys.Encrypt(t.Context(), &kms.EncryptInput{
		KeyId: aws.String(foreign), Plaintext: ring.Bytes(), EncryptionContext: seal.Context(d.table)})
	if err != nil {
		t.Fatal(err)
	}
	for name, hint := range map[string]string{"row names the foreign key": foreign, "row names the real key": d.env["KMS_KEY_ID"]} {
		t.Run(name, func(t *testing.T) {
			rows, err := d.store.Read(t.Context(), store.KeyringKey)
			if err != nil {
				t.Fatal(err)
			}
			original := rows[store.KeyringKey].(*store.Keyring)
			planted := &store.Keyring{Wrapped: out.CiphertextBlob, KMSKey: hint}
			d.write(t, planted, original.Rev)
			refresh := d.start(t, "refresh")
			b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusServiceUnavailable)
			if log := strings.Join(refresh.Logs(), "\n"); !strings.Contains(log, `"alarm":"kms_denied"`) {
				t.Errorf("the log has no alarm kms_denied:\n%s", log)
			}
			// Check that the same process works again with the original keyring.
			d.write(t, &store.Keyring{Wrapped: original.Wrapped, KMSKey: original.KMSKey}, planted.Rev)
			b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
		})
	}
}
