package stream

import (
	"context"
	"slices"

	"github.com/ordersync/ordersync/sync/source"
)

// limited bounds how many calls of a login are under way at once, over all ranges of all its streams. Listings and details have a bound each:
// details that wait for their budget must not keep the listings, which feed them, waiting too.
type limited struct {
	Source
	lists, details chan struct{}
}

// Limit returns the streams of a run, their calls bounded: streams of one login have the same Source, and so one bound.
func Limit(streams []Stream) []Stream {
	out := slices.Clone(streams)
	gates := map[Source]*limited{}
	for i, s := range out {
		if gates[s.Source] == nil {
			n := max(1, s.InFlight)
			gates[s.Source] = &limited{Source: s.Source, lists: make(chan struct{}, n), details: make(chan struct{}, n)}
		}
		out[i].Source = gates[s.Source]
	}
	return out
}

// List is part of Source.
func (g *limited) List(ctx context.Context, q source.Query) (source.Page, error) {
	if err := enter(ctx, g.lists); err != nil {
		return source.Page{}, err
	}
	defer func() { <-g.lists }()
	return g.Source.List(ctx, q)
}

// Detail is part of Source.
func (g *limited) Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error) {
	if err := enter(ctx, g.details); err != nil {
		return source.Detail{}, err
	}
	defer func() { <-g.details }()
	return g.Source.Detail(ctx, ownerID, orderID)
}

// enter waits for a place.
func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
