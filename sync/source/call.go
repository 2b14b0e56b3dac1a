package source

import "context"

// Call makes a call of another kind than listings and details, within a budget of its own and with the Caller's retries
// and observer. name is the label of the kind, such as "products".
func Call[T any](ctx context.Context, c *Caller, name string, b *Budget, do func(context.Context) (T, error)) (T, error) {
	return call(ctx, c, &api{name: name, budget: b}, do)
}
