package asanaauth_test

import (
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

func TestTimesFit(t *testing.T) {
	times := asanaauth.Times()
	if sum := times["request"] + 2*times["reserve"]; sum > times["lease"] {
		t.Errorf("request and reserves take %v of a lease of %v", sum, times["lease"])
	}
	if sum := times["lease"] + times["skew"] + times["request"] + times["reserve"]; sum > times["caller"] {
		t.Errorf("outwaiting a dead lease and asking takes %v of a caller's %v", sum, times["caller"])
	}
}
