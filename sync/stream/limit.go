package stream

import (
	"context"

	"github.com/ordersync/ordersync/sync/source"
)

// limited bounds how many calls of a login are under way at once, over all ranges of all its streams. Listings and details have a bound each:
// details that wait for their budget must not keep the listings, which feed them, waiting too.
type limited struct {
	Source
	lists, details chan struct{}
}

// Limit makes the gates of a run: streams of one login have the same Source, and so one gate.
func Limit(streams []Stream) map[Source]*limited {
	gates := map[Source]*limited{}
	for _, l := range streams {
		if gates[l.Source] == nil {
			n := max(1, l.InFlight)
			gates[l.Source] = &limited{Source: l.Source, lists: make(chan struct{}, n), details: make(chan struct{}, n)}
		}
	}
	return gates
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
