package awstest

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// NoPause is a retryer that sends the next request at once.
type NoPause struct{ *retry.Standard }

// RetryDelay implements [aws.Retryer].
func (NoPause) RetryDelay(int, error) (time.Duration, error) { return 0, nil }
