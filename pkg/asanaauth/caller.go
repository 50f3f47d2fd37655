package asanaauth

import "context"

// CallerLibrary is the caller's name in an audit line if the call's context contains no
// name.
const CallerLibrary = "library"

type callerKey struct{}

// WithCaller returns a copy of ctx that contains the caller's name, for example an IAM
// ARN. Calls with the returned context write this name into their audit lines. The name
// must come from an authenticated source, never from a value that a client can choose.
func WithCaller(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, callerKey{}, name)
}

// CallerOf returns the name that [WithCaller] gave to ctx, or [CallerLibrary].
func CallerOf(ctx context.Context) string {
	if name, ok := ctx.Value(callerKey{}).(string); ok && name != "" {
		return name
	}
	return CallerLibrary
}
