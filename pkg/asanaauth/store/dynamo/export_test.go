package dynamo

import (
	"context"
	"time"
)

// PageRows is the maximum number of rows in a page of List.
const PageRows = pageRows

// Wait is the function that waits before a retry.
var Wait = wait

// SetWait replaces the function that waits before a retry.
func (s *Store) SetWait(wait func(ctx context.Context, longest time.Duration) error) { s.wait = wait }
