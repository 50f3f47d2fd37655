package asanaauth

import "context"

// CallerLibrary is the caller's name in audit lines if the context does not name a
// caller.
const CallerLibrary = "library"

type callerKey struct{}

// WithCaller returns a copy of ctx that names the caller, for example by an IAM ARN.
// Calls that use the returned context write the name into their audit lines. The name
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
