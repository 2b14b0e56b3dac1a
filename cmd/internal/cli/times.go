package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/sync/window"
)

// timeHelp is how flags that take a time describe it.
const timeHelp = "RFC 3339, a date (UTC), now, or back from now like -30d or -12h"

// parseTime reads a time as the flags take it.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if back, ok := strings.CutPrefix(text, "-"); ok {
		if d, err := parseSpan(back); err == nil {
			return now.Add(-d), nil
		}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time (%s)", text, timeHelp)
}

// parseRange reads --from and --to, and refuses what no order can have been created in, before anything is planned. A text that is empty leaves its bound zero.
func parseRange(fromText, toText string, now time.Time) (r window.Interval, err error) {
	if fromText != "" {
		if r.Start, err = parseTime(fromText, now); err != nil {
			return r, fmt.Errorf("--from: %w", err)
		}
		if !r.Start.Before(now) {
			return r, fmt.Errorf("--from %s is not before now", r.Start.Format(time.RFC3339))
		}
		if err := window.Check(r.Start, now); err != nil {
			return r, fmt.Errorf("--from %w", err)
		}
	}
	if toText != "" {
		if r.End, err = parseTime(toText, now); err != nil {
			return r, fmt.Errorf("--to: %w", err)
		}
		if err := window.Check(r.End, now); err != nil {
			return r, fmt.Errorf("--to %w", err)
		}
		if !r.Start.Before(r.End) {
			return r, fmt.Errorf("--from %s is not before --to %s", r.Start.Format(time.RFC3339), r.End.Format(time.RFC3339))
		}
	}
	return r, nil
}

// parseSpan reads a duration; days are 24 hours, because windows are in UTC.
func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// count writes a number with separators, as people read it.
func count[T int | int64 | uint64](n T) string { return format.Count(n) }

// plural writes a number of things.
func plural[T int | int64 | uint64](n T, thing string) string { return format.Plural(n, thing) }

// span writes a duration in two units at most.
func span(d time.Duration) string { return format.Span(d) }
