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
	limits := map[Source]*limited{}
	for i, s := range out {
		if limits[s.Source] == nil {
			n := max(1, s.InFlight)
			limits[s.Source] = &limited{Source: s.Source, lists: make(chan struct{}, n), details: make(chan struct{}, n)}
		}
		out[i].Source = limits[s.Source]
	}
	return out
}

// List is part of Source.
func (l *limited) List(ctx context.Context, q source.Query) (source.Page, error) {
	if err := enter(ctx, l.lists); err != nil {
		return source.Page{}, err
	}
	defer func() { <-l.lists }()
	return l.Source.List(ctx, q)
}

// Detail is part of Source.
func (l *limited) Detail(ctx context.Context, ownerID, orderID string) (source.Detail, error) {
	if err := enter(ctx, l.details); err != nil {
		return source.Detail{}, err
	}
	defer func() { <-l.details }()
	return l.Source.Detail(ctx, ownerID, orderID)
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
