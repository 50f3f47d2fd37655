package refresher_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// A lease must last long enough for a request and a save. If a process has stopped, a
// caller must have time to wait for the end of its lease, and then to refresh. A call
// must end before its Lambda function times out.
func TestTimesFit(t *testing.T) {
	const (
		withLease = row.RequestTime + 2*row.SaveReserve // the two writes take the lease and save the tokens
		afterDead = refresher.LeaseTime + row.ClockSkew + row.RequestTime + row.SaveReserve
		function  = 28 * time.Second // as template.yaml has it
	)
	if withLease > refresher.LeaseTime {
		t.Errorf("a request and two writes take %v of a lease of %v", withLease, refresher.LeaseTime)
	}
	if refresher.RequestAndSave != row.RequestTime+row.SaveReserve {
		t.Errorf("a request and a save take %v, and their parts %v", refresher.RequestAndSave, row.RequestTime+row.SaveReserve)
	}
	if afterDead > row.CallerTime {
		t.Errorf("waiting for a dead lease and asking Asana take %v of a caller's %v", afterDead, row.CallerTime)
	}
	if row.CallerTime+row.SaveReserve > function {
		t.Errorf("a call of %v and its last save of %v exceed the function's %v", row.CallerTime, row.SaveReserve, function)
	}
}
