package asanaauth_test

import (
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// With a monotonic reading, cached values would not age while a sandbox is frozen.
func TestTheSystemClockIsTheWallClock(t *testing.T) {
	t.Parallel()
	if now := (asanaauth.SystemClock{}).Now(); strings.Contains(now.String(), "m=") {
		t.Errorf("the time has a monotonic reading: %v", now)
	}
}
