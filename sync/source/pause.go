package source

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pause is a time in which a vendor wants no call.
type Pause struct {
	Reason Reason        // of the answer that asked for it
	Asked  time.Duration // how long it asked for
	Until  time.Time
}

const (
	// longPause is how long a pause takes, at least, that people are told of.
	longPause = 5 * time.Second
	// maxPause is how long one takes at most, whatever the vendor asks for: an odd header must not end the synchronization.
	maxPause = time.Hour
)

// String says why nothing happens, and until when.
func (p Pause) String() string {
	capped := ""
	if p.Asked > maxPause {
		capped = ", of which ordersync waits " + maxPause.String()
	}
	return fmt.Sprintf("the vendor asked for %s%s: no call before %s", p.Asked.Round(time.Second), capped, p.Until.UTC().Format("2006-01-02 15:04:05Z"))
}

type longestWaitKey struct{}

// WithLongestWait makes calls fail that would have to wait for longer than d because the vendor asked for it. Without it
// they wait for as long as it asks. The error says until when, and is Final.
func WithLongestWait(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, longestWaitKey{}, d)
}

// bears reports whether a caller waits until a pause is over.
func (p Pause) bears(ctx context.Context) bool {
	d, bounded := ctx.Value(longestWaitKey{}).(time.Duration)
	return !bounded || time.Until(p.Until) <= d
}

// pausedError is a call that was not made because of a pause.
type pausedError struct {
	Pause
	api string
}

func (e *pausedError) Error() string {
	return fmt.Sprintf("%s: %s: %s; the next run after that goes on", e.api, e.Reason, e.Pause)
}

// Final reports whether no other call would fare better for now: the credentials are refused, or the vendor wants no call.
func Final(err error) bool { return ReasonOf(err) == Auth || errors.As(err, new(*pausedError)) }
