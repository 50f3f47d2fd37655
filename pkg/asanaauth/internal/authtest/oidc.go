package authtest

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// signingKey signs the ID tokens in all tests. The tests share a key because generating an
// RSA key is slow.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Signs replaces the installation's Asana with an Asana that signs ID tokens, and returns
// the installation.
func (inst *Installation) Signs() *Installation {
	inst.T.Helper()
	key, err := signingKey()
	if err != nil {
		inst.T.Fatal(err)
	}
	inst.UseAsana(inst.NewAsana(func(o *asanatest.Options) { o.Key = key }))
	return inst
}
