package status

import (
	"time"

	"github.com/ordersync/ordersync/cmd/internal/format"
)

// Freshness is how stale the orders of a stream can be: how long ago the list rows, and the details, were last compared of the order
// for which that is the longest, and within what time each comes round.
type Freshness struct {
	ListSeconds        *float64 `json:"list_seconds"` // null while nothing is known, and where orders cannot be listed
	DetailSeconds      *float64 `json:"detail_seconds"`
	ListBoundSeconds   float64  `json:"list_bound_seconds"` // by the configuration; 0 for never
	DetailBoundSeconds float64  `json:"detail_bound_seconds"`
	DetailsOff         bool     `json:"details_off,omitempty"` // the default would take more than a fifth of the detail quota
}

func newFreshness(compared, detailed, now time.Time, rows, details time.Duration, off bool) Freshness {
	since := func(at time.Time) *float64 {
		if at.IsZero() {
			return nil
		}
		s := max(0, now.Sub(at).Seconds())
		return &s
	}
	return Freshness{since(compared), since(detailed), rows.Seconds(), details.Seconds(), off}
}

// String says it in a line; it is empty while nothing is known.
func (f *Freshness) String() string {
	span := func(seconds float64) string { return format.Span(time.Duration(seconds) * time.Second) }
	text := ""
	if f.ListSeconds != nil {
		text = "every order was compared within " + span(*f.ListSeconds)
	}
	if f.DetailSeconds != nil {
		if text == "" {
			text = "every order was compared with its detail within " + span(*f.DetailSeconds)
		} else {
			text += "; details within " + span(*f.DetailSeconds)
		}
	}
	if text != "" && f.DetailsOff {
		text += ", and not again by themselves: it would take more than a fifth of the detail quota (schedule.scrub_details)"
	}
	return text
}
