package stream

import (
	"sync/atomic"
)

// Progress counts what a run has done so far. It may be read while the run goes on.
type Progress struct {
	Windows   atomic.Int64 // planned
	Done      atomic.Int64 // closed, whatever their verdict
	Orders    atomic.Int64 // that the listings of the closed windows showed
	Items     atomic.Int64 // items written
	ListCalls atomic.Int64
	Details   atomic.Int64 // orders whose detail was asked for

	// Of a listing: seconds of creation time that are to be listed and that were, and orders of these that need a detail.
	toList, listed, found atomic.Int64

	pace Pace
}

// Plan adds windows that are to be done.
func (p *Progress) Plan(windows int) { p.Windows.Add(int64(windows)) }

// Share is how much of the work is done, from 0 to 1. Nobody knows how many orders there are in what is still to be
// listed, so it is supposed that there are as many as in the rest. It reports false while nothing is known.
func (p *Progress) Share() (float64, bool) {
	if toList := p.toList.Load(); toList > 0 {
		share := float64(p.listed.Load()) / float64(toList)
		if found := p.found.Load(); found > 0 {
			share *= min(1, float64(p.Details.Load())/float64(found))
		}
		return min(1, share), true
	}
	if windows := p.Windows.Load(); windows > 0 {
		return min(1, float64(p.Done.Load())/float64(windows)), true
	}
	return 0, false
}
