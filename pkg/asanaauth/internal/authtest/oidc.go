package authtest

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// signingKey signs the ID tokens of all tests, because it takes long to make a key.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Signs gives the installation an Asana that signs ID tokens, with a key that all tests
// share. It returns the installation.
func (inst *Installation) Signs() *Installation {
	inst.T.Helper()
	key, err := signingKey()
	if err != nil {
		inst.T.Fatal(err)
	}
	inst.UseAsana(inst.NewAsana(func(o *asanatest.Options) { o.Key = key }))
	return inst
}
