// Package format writes durations, times and amounts the way that people read them, the same in a terminal and on the
// page, and names the way that a server or a shell reads them.
package format

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Span writes a duration in two units at most.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + Span(-d)
	case d >= day:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return d.Round(100 * time.Millisecond).String()
}

// Clock writes a time in UTC as short as it can be understood at another time: without the date where that is the same.
func Clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// Amount writes an amount of money to the cent, for reading: reports for machines carry all digits.
func Amount(d decimal.Decimal) string {
	whole, cents, _ := strings.Cut(d.Abs().StringFixed(2), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if d.Round(2).IsNegative() {
		whole = "-" + whole
	}
	return whole + "." + cents
}

// TimeOrNull is a time as reports for machines show it: null where there is none.
func TimeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Identifier writes a name as ClickHouse reads it, whatever is in it.
func Identifier(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// ShellWord writes a text as a shell reads it, whatever is in it.
func ShellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
