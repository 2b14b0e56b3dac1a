package source

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// clockExact is the smallest offset that is told from none: the Date header has whole seconds.
	clockExact = 2 * time.Second
	// clockSlow is the longest answer whose Date says anything: it was written somewhere between question and answer.
	clockSlow = 10 * time.Second
	// clockAbsurd is an offset that says more of a proxy, or of a server without a clock, than of a clock that is wrong.
	clockAbsurd = 24 * time.Hour
	// clockSamples are the answers of which the middle counts, so that one that is wrong changes nothing.
	clockSamples = 5
	// clockFresh is how long an answer says something: a clock that was set since must not be corrected twice.
	clockFresh = time.Hour
)

// Clock knows how far the vendor's clock is from this machine's, by the Date of the answers. It is safe for concurrent use.
type Clock struct {
	mu      sync.Mutex
	samples []sample // the newest last
	trouble string
}

// sample is what one answer says.
type sample struct {
	at     time.Time
	offset time.Duration
}

// Offset is the vendor's clock minus this machine's, zero where that is less than the Date header can show. known is false
// while no answer has told.
func (c *Clock) Offset() (offset time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	offsets := make([]time.Duration, 0, clockSamples)
	for _, s := range c.samples {
		if time.Since(s.at) < clockFresh {
			offsets = append(offsets, s.offset)
		}
	}
	n := len(offsets)
	if n == 0 {
		return 0, false
	}
	slices.Sort(offsets)
	if n%2 == 0 && offsets[n/2].Abs() > offsets[n/2-1].Abs() {
		n-- // of two that disagree, the one that is nearer to our own clock
	}
	return offsets[n/2], true
}

// Trouble says why the last answer told nothing of the vendor's clock; empty where it did.
func (c *Clock) Trouble() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trouble
}

// Now is the vendor's time, as far as it is known.
func (c *Clock) Now() time.Time {
	offset, _ := c.Offset()
	return time.Now().Add(offset).UTC()
}

// Observe learns from an answer that was asked for and came at these times.
func (c *Clock) Observe(asked, came time.Time, h http.Header) {
	// The answer was written some time between the two, and the header cuts off a part of a second. So the offset lies
	// between these; where none at all may be, there is none, and else half way is the best guess.
	took := came.Sub(asked)
	date, err := http.ParseTime(h.Get("Date"))
	least, most := date.Sub(asked.Add(took)), date.Add(time.Second).Sub(asked)
	offset := least + (most-least)/2
	if least < clockExact && most > -clockExact {
		offset = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case h.Get("Date") == "":
		c.trouble = "the answers have no Date"
	case err != nil:
		c.trouble = "the Date of the answers cannot be read"
	case h.Get("Age") != "" && h.Get("Age") != "0":
		c.trouble = "the answers come from a cache on the way, as their Age says"
	case offset.Abs() > clockAbsurd:
		c.trouble = fmt.Sprintf("the answers say that it is %s, which is not believed", date.Format(time.RFC3339))
	case took > clockSlow:
		c.trouble = fmt.Sprintf("the answers take more than %s", clockSlow)
	default:
		c.trouble = ""
		if len(c.samples) == clockSamples {
			c.samples = slices.Delete(c.samples, 0, 1)
		}
		c.samples = append(c.samples, sample{came, offset})
	}
}
