package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// timeHelp is how flags that take a time describe it.
const timeHelp = "2024-01-31, 2024-01 or 2024 for its beginning, today, yesterday, this-week, last-month and so on, now, 30d or 12h ago, " +
	"or RFC 3339; UTC where no zone is given"

// timeLayouts are the ways to write a time out. What they leave open is its beginning, in UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04",
	time.DateOnly, "2006-01", "2006"}

// parseTime reads a time as the flags take it. A day, week, month or year stands for its beginning in UTC, where windows are; a
// week begins on Monday.
func parseTime(text string, now time.Time) (time.Time, error) {
	now = now.UTC()
	if t, ok := namedTime(strings.ReplaceAll(strings.ToLower(text), " ", "-"), now); ok {
		return t, nil
	}
	ago := strings.TrimPrefix(text, "-") // as it was written at first, and is still
	if d, ok := config.ParseDuration(ago); ok && d >= 0 && !strings.HasPrefix(ago, "+") {
		return now.Add(-d), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time (%s)", text, timeHelp)
}

// namedTime returns the time that a word stands for.
func namedTime(word string, now time.Time) (time.Time, bool) {
	year, month, day := now.Date()
	back := 0
	which, unit, _ := strings.Cut(word, "-")
	switch {
	case word == "now":
		return now, true
	case word == "today":
		unit = "day"
	case word == "yesterday":
		unit, back = "day", 1
	case which == "last" && unit != "day":
		back = 1
	case which != "this" || unit == "day":
		return now, false
	}
	switch unit {
	case "day":
		day -= back
	case "week":
		day -= (int(now.Weekday())+6)%7 + 7*back
	case "month":
		month, day = month-time.Month(back), 1
	case "year":
		year, month, day = year-back, time.January, 1
	default:
		return now, false
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC), true
}

// rangeFlags say over which orders a verb goes: those created in [from, to), of one account or of all.
type rangeFlags struct{ from, to, account string }

// add adds the flags; what --from and --to are without a value is part of their help.
func (f *rangeFlags) add(cmd *cobra.Command, fromDefault, toDefault string) {
	cmd.Flags().StringVar(&f.from, "from", "", "begin with orders created at this `time`: "+timeHelp+fromDefault)
	cmd.Flags().StringVar(&f.to, "to", "", "end before orders created at this `time`, which --from explains"+toDefault)
	cmd.Flags().StringVar(&f.account, "account", "", "only the account of this `name`")
}

// read reads them: the time of the run, the range, and the configuration with the accounts to work on.
func (f *rangeFlags) read(cmd *cobra.Command, load func() (*config.Config, error)) (now time.Time, r window.Interval, cfg *config.Config, err error) {
	now = time.Now().UTC()
	if r, err = parseRange(f.from, f.to, now); err != nil {
		return now, r, nil, usage(cmd, err)
	}
	if cfg, err = load(); err == nil {
		err = cfg.RequireAccounts()
	}
	if err != nil {
		return now, r, nil, err
	}
	return now, r, cfg, usage(cmd, onlyAccount(cfg, f.account))
}

// parseRange reads --from and --to, and refuses what no order can have been created in, before anything is planned. A text that
// is empty leaves its bound zero.
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

// count writes a number with separators, as people read it.
func count[T schema.Number](n T) string { return schema.Thousands(n) }

// plural writes a number of things.
func plural[T schema.Number](n T, thing string) string { return schema.Plural(n, thing) }

// span writes a duration in two units at most.
func span(d time.Duration) string { return format.Span(d) }
