package asanaauth_test

import (
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// The time from Now must not have a monotonic reading. Otherwise, cached values would not
// age while a Lambda sandbox is frozen.
func TestTheSystemClockIsTheWallClock(t *testing.T) {
	t.Parallel()
	if now := (asanaauth.SystemClock{}).Now(); strings.Contains(now.String(), "m=") {
		t.Errorf("the time has a monotonic reading: %v", now)
	}
}
