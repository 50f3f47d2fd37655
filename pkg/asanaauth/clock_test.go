package asanaauth_test

import (
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// Now must not return a monotonic reading, because cached values would then not age while
// a Lambda sandbox is frozen.
func TestTheSystemClockIsTheWallClock(t *testing.T) {
	t.Parallel()
	if now := (asanaauth.SystemClock{}).Now(); strings.Contains(now.String(), "m=") {
		t.Errorf("the time has a monotonic reading: %v", now)
	}
}
