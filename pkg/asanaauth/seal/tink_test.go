package seal_test

import (
	"crypto/rand"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// tinkAEAD returns Tink's AES-GCM with the ring's key for a row. In Tink's keyset, this
// key has the ID of the ring's primary key and the output prefix TINK.
func tinkAEAD(t *testing.T, r *seal.Ring, row string) tink.AEAD {
	t.Helper()
	raw, err := r.RowKey(row)
	if err != nil {
		t.Fatal(err)
	}
	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink,
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := aesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), r.Primary(), params)
	if err != nil {
		t.Fatal(err)
	}
	manager := keyset.NewManager()
	id, err := manager.AddKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	handle, err := manager.Handle()
	if err != nil {
		t.Fatal(err)
	}
	a, err := aead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTinkDecryptsSealedField(t *testing.T) {
	r := newRing(t)
	plain, err := tinkAEAD(t, r, label.Row).Decrypt(sealed(t, r, label, text), r.Associated(label))
	if err != nil || string(plain) != text {
		t.Errorf("Decrypt = %q, %v, want %q", plain, err, text)
	}
}

func TestOpenFieldThatTinkEncrypted(t *testing.T) {
	r := newRing(t)
	tinkKey := tinkAEAD(t, r, label.Row)
	s, err := tinkKey.Encrypt([]byte(text), r.Associated(label))
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, r, label, s, text)
	empty, err := tinkKey.Encrypt(nil, r.Associated(label))
	if err != nil {
		t.Fatal(err)
	}
	mustNotOpen(t, r, label, empty, "sealed empty text")
}

func TestEachRowHasItsOwnKey(t *testing.T) {
	r := newRing(t)
	s, err := r.Seal(rand.Reader, label, secret.New(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tinkAEAD(t, r, "c#aaaa/cccc#hot").Decrypt(s, r.Associated(label)); err == nil {
		t.Error("Decrypt with the key of another row succeeded, want an error")
	}
}
