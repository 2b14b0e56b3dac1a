package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/window"
)

// State says what is known of the time of a cell.
type State string

// States of a cell: the verdicts of the ledger, and what it does not say.
const (
	Complete = State(schema.Complete)
	Open     = State(schema.Open)
	Short    = State(schema.Short)
	Failed   = State(schema.Failed)
	Missing  = State("missing") // the ledger has nothing of it, and should
	Filling  = State("filling") // a backfill that is under way fills it
	NotYet   = State("not_yet") // it lies ahead, or the daemon has had no time for it
	Before   = State("before")  // it lies before all that was ever synced
)

// States are all of them.
var States = []State{Complete, Open, Short, Failed, Missing, Filling, NotYet, Before}

// Word is the state as people read it.
func (s State) Word() string {
	switch s {
	case Filling:
		return "being filled"
	case NotYet:
		return "not yet"
	case Before:
		return "not synced"
	}
	return string(s)
}

// Bad reports whether somebody should look.
func (s State) Bad() bool { return s == Short || s == Failed || s == Missing }

// rank orders states by how much they matter where a cell has several.
var rank = map[State]int{NotYet: 0, Before: 0, Complete: 1, Open: 2, Short: 3, Missing: 4, Failed: 5}

// Day is one day of a heat map, in UTC.
type Day struct {
	Day   time.Time `json:"day"`
	Cells []Cell    `json:"cells"`
}

// Cell is an hour of a heat map, or a window where windows are longer.
type Cell struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	State    State     `json:"state"`
	Orders   int       `json:"orders"`
	Rejected int       `json:"rejected,omitempty"`
	Pending  int       `json:"pending,omitempty"` // orders without their items
	Why      string    `json:"why"`
}

// span is what a heat map covers.
type span struct {
	from time.Time // midnight
	days int
	cell time.Duration // divides a day
	due  time.Time     // what lies before this should be in the ledger
	// filled is what is being filled now.
	filled []window.Interval
}

// cover makes the heat map of a stream, the newest day first. The windows are those of the span, by start; oldest is where
// the stream's ledger begins, zero for an empty one.
func (s span) cover(oldest time.Time, windows []schema.Window) []Day {
	out := make([]Day, s.days)
	perDay := int(24 * time.Hour / s.cell)
	next := 0 // the first window that does not end before the cell
	for d := range s.days {
		day := s.from.AddDate(0, 0, d)
		cells := make([]Cell, perDay)
		for i := range cells {
			start := day.Add(time.Duration(i) * s.cell)
			end := start.Add(s.cell)
			for next < len(windows) && !windows[next].End.After(start) {
				next++
			}
			last := next
			for last < len(windows) && windows[last].Start.Before(end) {
				last++
			}
			cells[i] = s.cellOf(start, end, oldest, windows[next:last])
		}
		out[s.days-1-d] = Day{Day: day, Cells: cells}
	}
	return out
}

// cellOf says what the windows in a cell say of it: the worst counts.
func (s span) cellOf(start, end, oldest time.Time, windows []schema.Window) Cell {
	c := Cell{Start: start, End: end}
	should := window.Interval{Start: start, End: end}.Clip(window.Interval{Start: oldest, End: s.due})
	lacking := length(should)
	for _, w := range windows {
		lacking -= length(should.Clip(window.Interval{Start: w.Start, End: w.End}))
	}
	switch {
	case len(windows) == 0 && slices.ContainsFunc(s.filled, func(iv window.Interval) bool { return length(iv.Clip(window.Interval{Start: start, End: end})) > 0 }):
		c.State, c.Why = Filling, when(start, end)+": being filled by the backfill that is under way."
		return c
	case len(windows) == 0 && !start.Before(s.due):
		c.State, c.Why = NotYet, when(start, end)+": not yet."
		return c
	case len(windows) == 0 && (oldest.IsZero() || !end.After(oldest)):
		c.State, c.Why = Before, when(start, end)+": never synced. "+fill(start, end)
		return c
	case lacking > 0:
		c.State = Missing
		c.Why = when(start, end) + ": missing. The ledger has no window here. The daemon fills such a gap by itself; at once: " + fill(start, end)
	}
	var worst schema.Window
	var items, list, detail uint32
	for _, w := range windows {
		c.Orders += int(w.Stored)
		c.Rejected += int(w.Rejected)
		c.Pending += int(w.Pending)
		items, list, detail = items+w.Items, list+w.ListCalls, detail+w.DetailCalls
		if v := State(w.Verdict); rank[v] > rank[c.State] {
			c.State, c.Why, worst = v, "", w
		}
	}
	if c.Why != "" {
		return c
	}
	c.Why = fmt.Sprintf("%s: %s.", when(start, end), c.State)
	switch {
	case c.State == Open:
		c.Why += " Its end, or its time to settle, was not past when it was listed."
	case c.State.Bad():
		c.Why += fmt.Sprintf(" %s (%s).", oneLine(worst.Error), schema.Plural(int(worst.Attempts), "attempt"))
	}
	c.Why += fmt.Sprintf(" %s, %s", schema.Plural(c.Orders, "order"), schema.Plural(int(items), "item"))
	if c.Rejected > 0 {
		c.Why += fmt.Sprintf(", %d rejected", c.Rejected)
	}
	if c.Pending > 0 {
		c.Why += fmt.Sprintf(", %d without items", c.Pending)
	}
	c.Why += fmt.Sprintf("; %s, %s", schema.Plural(int(list), "list call"), schema.Plural(int(detail), "detail call"))
	if !worst.FinishedAt.IsZero() {
		c.Why += "; listed " + worst.FinishedAt.Format("2006-01-02 15:04:05")
	}
	c.Why += "."
	return c
}

// when names the time of a cell.
func when(start, end time.Time) string {
	to := end.Format("15:04")
	if to == "00:00" {
		to = "24:00"
	}
	return start.Format("Mon 2006-01-02 15:04") + "–" + to
}

// fill is the command that lists a cell.
func fill(start, end time.Time) string {
	return "ordersync backfill --from " + start.Format(time.RFC3339) + " --to " + end.Format(time.RFC3339)
}

// oneLine makes an error of any length fit a line or two.
func oneLine(text string) string {
	const most = 300
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		runes = append(runes[:most], '…')
	}
	return string(runes)
}

func length(iv window.Interval) time.Duration { return max(0, iv.End.Sub(iv.Start)) }
