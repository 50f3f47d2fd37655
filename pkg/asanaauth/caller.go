package asanaauth

import "context"

// CallerLibrary is the caller's name in audit lines if the context has none.
const CallerLibrary = "library"

type callerKey struct{}

// WithCaller returns a context that has the name of the caller, for example an IAM ARN.
// Every call with that context writes the name to its audit lines. The name must come
// from an authenticated source, never from what a client can choose.
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
