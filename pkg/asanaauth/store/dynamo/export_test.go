package dynamo

import (
	"context"
	"time"
)

// PageRows bounds a page of a list.
const PageRows = pageRows

// Wait is the pause between two tries.
var Wait = wait

// SetWait replaces the pause between two tries.
func (s *Store) SetWait(wait func(ctx context.Context, longest time.Duration) error) { s.wait = wait }
