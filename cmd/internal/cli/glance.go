package cli

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/mattn/go-runewidth"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
)

// stateColors are how a terminal shows states; the word says the same.
var stateColors = map[diagnosis.State]text.Colors{
	diagnosis.Stopped:    {text.FgRed, text.Bold},
	diagnosis.Failing:    {text.FgRed},
	diagnosis.Incomplete: {text.FgYellow},
	diagnosis.Filling:    {text.FgBlue},
	diagnosis.OK:         {text.FgGreen},
}

// glanceHead are the columns of the table; the last two are numbers.
var glanceHead = []string{"account", "state", "since", "behind (usual)", "whole until", "compared", "today", "rejects"}

// widestName is where a name in the table is cut, and on a terminal where the line ends, but not below leastName.
const widestName, leastName = 32, 12

// glance prints a line for each stream, in the order given, and under one that is not well why, cut to the width of a terminal, unless
// that has been said.
func (p *program) glance(r *status.Report, streams []*status.Stream, said bool) {
	rows := [][]string{glanceHead}
	for _, l := range streams {
		rows = append(rows, []string{runewidth.Truncate(printable(l.Name()), widestName, "…"), string(l.Diagnosis.State), l.Since(r.Now), l.Behind(), l.Whole(r.Now),
			l.ComparedWithin(), count(l.OrdersToday), count(l.OpenRejects)})
	}
	widths := make([]int, len(glanceHead))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	room := terminalWidth(p.out)
	if room > 0 {
		others := len(glanceHead) - 1 // the spaces
		for _, width := range widths[1:] {
			others += width
		}
		widths[0] = min(widths[0], max(leastName, room-others))
	}
	for n, row := range rows {
		row[0] = runewidth.Truncate(row[0], widths[0], "…")
		for i, cell := range row {
			if i < len(row)-2 {
				row[i] = runewidth.FillRight(cell, widths[i])
			} else {
				row[i] = runewidth.FillLeft(cell, widths[i])
			}
		}
		if n == 0 {
			fmt.Fprintln(p.out, strings.Join(row, " "))
			continue
		}
		d := &streams[n-1].Diagnosis
		row[1] = p.paint(row[1], stateColors[d.State]...)
		fmt.Fprintln(p.out.painted(), strings.Join(row, " "))
		if why := printable("  " + d.Says); d.Says != "" && !(said && d.State.Bad()) {
			if room > 0 {
				why = runewidth.Truncate(why, room, "…")
			}
			fmt.Fprintln(p.out, why)
		}
	}
}
