package dynamo

import (
	"context"
	"time"
)

const PageRows = pageRows

var Wait = wait

func (s *Store) SetWait(wait func(ctx context.Context, longest time.Duration) error) { s.wait = wait }
