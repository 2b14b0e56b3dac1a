package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
)

const (
	terminalDays = 14 // of a heat map: two weeks leave room for the rest
	terminalRuns = 5
	terminalTop  = 5 // products
	// fewStreams are shown in all detail; of more there is a line each, and who wants to know more names one.
	fewStreams = 3
	manyRuns   = 3 // of runs and products, beside many streams
)

// marks are how a heat map shows states: each is told from the others without colour.
var marks = map[status.State]struct {
	sign   string
	colors text.Colors
}{
	status.Complete: {"#", text.Colors{text.FgGreen}},
	status.Open:     {"o", text.Colors{text.FgHiBlue}},
	status.Short:    {"s", text.Colors{text.FgBlack, text.BgYellow}},
	status.Failed:   {"F", text.Colors{text.FgHiWhite, text.BgMagenta}},
	status.Missing:  {"!", text.Colors{text.FgHiWhite, text.BgRed}},
	status.Filling:  {"~", text.Colors{text.FgBlue}},
	status.NotYet:   {".", text.Colors{text.FgHiBlack}},
	status.Before:   {" ", nil},
}

// paint colours text where a person sees it and has not asked for none (no-color.org).
func (p *program) paint(s string, colors ...text.Color) string {
	if !isTerminal(p.out) || os.Getenv("NO_COLOR") != "" || len(colors) == 0 {
		return s
	}
	return text.Colors(colors).Sprint(s)
}

// statusText prints a report within 80 columns, but for problems and errors, which are as long as they are. only is the one
// stream that was asked for; empty for all.
func (p *program) statusText(r *status.Report, only string) {
	if len(r.Accounts) == 0 {
		fmt.Fprintln(p.out, "The ledger is empty, and no account is configured.")
		return
	}
	streams := r.Glance()
	if only != "" {
		streams = slices.DeleteFunc(streams, func(l *status.Stream) bool { return l.Name() != only })
	}
	few := len(streams) <= fewStreams
	for _, text := range r.Problems {
		fmt.Fprintln(p.out, text)
	}
	if few {
		p.problems(r, streams)
	}
	p.glance(r, streams, few)
	if few {
		for _, l := range streams {
			p.stream(l)
		}
		fmt.Fprintf(p.out.painted(), "\n%s\n", p.legend())
	}
	for i := range r.Running {
		p.running(&r.Running[i])
	}
	most := terminalRuns
	if !few {
		most = manyRuns
	}
	p.runs("failed runs", r.Failures, most, few)
	if few || len(r.Failures) == 0 {
		p.runs("last runs", r.Runs, most, few)
	}
	for _, x := range r.Rejects {
		if few && slices.ContainsFunc(streams, func(l *status.Stream) bool { return l.Key() == x.Key() }) {
			fmt.Fprintf(p.out, "%s: %s, %s: %s, last at %s (`ordersync rejects`)\n", x.Stream, x.Stage, x.Reason, plural(x.Count, "reject"), shortTime(&x.LastSeen))
		}
	}
	for i := range r.Spend {
		p.spend(&r.Spend[i], r.ReportingZone, min(most, terminalTop))
	}
	if r.StoredView != nil {
		fmt.Fprintf(p.out, "\n%s\n", r.StoredView)
	}
	fmt.Fprintln(p.out)
	if !few {
		fmt.Fprintln(p.out, "`ordersync status --account NAME` says all of one, with its hours")
	}
	p.ending(r)
}

// ending says in a line how all stands.
func (p *program) ending(r *status.Report) {
	live := slices.ContainsFunc(r.Accounts, func(l status.Stream) bool { return l.Daemon != nil && l.Daemon.Live })
	idle := slices.ContainsFunc(r.Accounts, func(l status.Stream) bool { return l.Diagnosis.State == diagnosis.Idle })
	next := ""
	if live && !r.NextRun.IsZero() {
		next = ", the next run is due in " + span(r.NextRun.Sub(r.Now))
	}
	switch {
	case !r.OK:
		fmt.Fprintf(p.out.painted(), "%s, see above%s; times are UTC\n", p.paint("not all is well", text.FgRed), next)
	case idle:
		fmt.Fprintf(p.out.painted(), "%s, and no daemon keeps it so: `ordersync run`; times are UTC\n", p.paint("up to date", text.FgGreen))
	default:
		fmt.Fprintf(p.out.painted(), "%s%s; times are UTC\n", p.paint("all is well", text.FgGreen), next)
	}
}

// problems come first: they are what the report is read for.
func (p *program) problems(r *status.Report, streams []*status.Stream) {
	said := false
	for _, l := range streams {
		if len(l.Problems) > 0 {
			fmt.Fprintln(p.out.painted(), p.paint(printable(l.Name())+":", text.FgRed, text.Bold), l.Diagnosis.Headline(r.Now))
			fmt.Fprintf(p.out, "  %s\n", strings.Join(l.Problems, "\n  "))
			said = true
		}
	}
	if said {
		fmt.Fprintln(p.out)
	}
}

// stream prints what is known of a stream, and its heat map.
func (p *program) stream(l *status.Stream) {
	fmt.Fprintf(p.out.painted(), "\n%s: ", p.paint(l.Name(), text.Bold))
	lag, ok := l.Lag()
	switch {
	case l.Unconfigured && l.CompleteTo != nil:
		fmt.Fprintf(p.out, "not configured, complete to %s\n", shortTime(l.CompleteTo))
	case l.Unconfigured:
		fmt.Fprintln(p.out, "not configured")
	case l.ByID && ok:
		fmt.Fprintf(p.out, "%s, tracked by their ids, refreshed %s ago\n", plural(l.Orders, "order"), span(lag))
	case l.ByID:
		fmt.Fprintf(p.out, "%s, tracked by their ids, never refreshed\n", plural(l.Orders, "order"))
	case ok:
		fmt.Fprintf(p.out, "complete to %s, %s behind\n", shortTime(l.CompleteTo), span(lag))
	default:
		fmt.Fprintln(p.out, "nothing is complete yet")
	}
	if l.Filters != "" {
		fmt.Fprintf(p.out, "  only %s\n", l.Filters)
	}
	if l.Oldest != nil {
		fmt.Fprintf(p.out, "  %s created since %s\n", plural(l.Orders, "order"), shortTime(l.Oldest))
	}
	var windows []string
	for _, v := range []schema.Verdict{schema.Complete, schema.Open, schema.Short, schema.Failed} {
		if n := l.Windows[v]; n > 0 {
			windows = append(windows, fmt.Sprintf("%s %s", count(n), v))
		}
	}
	if len(windows) > 0 {
		fmt.Fprintf(p.out, "  windows: %s; last listed %s\n", strings.Join(windows, ", "), shortTime(l.LastRun))
	}
	if text := l.Freshness.String(); text != "" {
		fmt.Fprintf(p.out, "  %s\n", text)
	}
	if v := l.Verified; v != nil && v.Error == "" {
		fmt.Fprintf(p.out, "%s: %s of %s compared %s by %s", l.Name(), v.Compared, plural(v.Windows, "window"), shortTime(&v.Finished), plural(v.Calls, "call"))
		switch {
		case v.Differences > 0:
			fmt.Fprintf(p.out, ": %s then", plural(v.Differences, "difference"))
		default:
			fmt.Fprint(p.out, ": they agree")
		}
		if v.LeftOut > 0 {
			fmt.Fprintf(p.out, "; %s left out", plural(v.LeftOut, "window"))
		}
		fmt.Fprintln(p.out)
	}
	if l.Accepted > 0 {
		fmt.Fprintf(p.out, "%s: %s accepted by an operator (`ordersync rejects --all`)\n", l.Name(), plural(l.Accepted, "reject"))
	}
	p.heatMap(l.Coverage)
}

// heatMap prints a line a day, the newest first, with a gap after each quarter. Days before the first that was ever
// synced are left out.
func (p *program) heatMap(days []status.Day) {
	for len(days) > 0 && !slices.ContainsFunc(days[len(days)-1].Cells, func(c status.Cell) bool { return c.State != status.Before }) {
		days = days[:len(days)-1]
	}
	if len(days) == 0 {
		return
	}
	quarter := (len(days[0].Cells) + 3) / 4
	var head strings.Builder
	for i := 0; i < len(days[0].Cells); i += quarter {
		fmt.Fprintf(&head, "%-*s ", quarter, days[0].Cells[i].Start.Format("15"))
	}
	fmt.Fprintf(p.out, "  %-15s %s\n", "hour, UTC", strings.TrimSpace(head.String()))
	for _, d := range days {
		var line strings.Builder
		for i := range d.Cells {
			if i > 0 && i%quarter == 0 {
				line.WriteByte(' ')
			}
			m := marks[d.Cells[i].State]
			line.WriteString(p.paint(m.sign, m.colors...))
		}
		fmt.Fprintf(p.out.painted(), "  %s\n", strings.TrimRight(d.Day.Format("Mon 2006-01-02")+"  "+line.String(), " "))
	}
}

// legend explains the marks, in two lines that fit a terminal.
func (p *program) legend() string {
	var words []string
	for _, s := range status.States {
		if m := marks[s]; s != status.Before {
			words = append(words, p.paint(m.sign, m.colors...)+" "+s.Word())
		}
	}
	words = append(words, "blank: not synced")
	half := (len(words) + 1) / 2
	return strings.Join(words[:half], "  ") + "\n" + strings.Join(words[half:], "  ")
}

// running prints how far a run is.
func (p *program) running(r *status.Run) {
	fmt.Fprintf(p.out, "\nrunning: %s of process %s for %s, %d %%, %s of %s, %s, %s", r.Kind, r.Process, span(r.Took()),
		int(100*r.Share), count(r.WindowsDone), plural(r.WindowsPlanned, "window"), plural(r.Orders, "order"), plural(r.Items, "item"))
	if left, ok := r.ETA(); ok {
		fmt.Fprintf(p.out, ", done in %s", span(left.Round(time.Second)))
	}
	fmt.Fprintln(p.out)
}

// runs prints the newest of some runs, most of them, and why those failed that did.
func (p *program) runs(title string, runs []status.Run, most int, why bool) {
	if len(runs) == 0 {
		return
	}
	fmt.Fprintf(p.out, "\n%-16s %-8s %-16s %-7s %8s %7s %11s\n", title, "what", "account", "result", "took", "windows", "changed")
	for _, r := range runs[:min(len(runs), most)] {
		accounts := []rune(printable(strings.Join(r.Accounts, ", ")))
		if len(accounts) > 16 {
			accounts = append(accounts[:15], '…')
		}
		fmt.Fprintf(p.out, "%-16s %-8s %-16s %-7s %8s %7s %11s\n", shortTime(&r.StartedAt), r.Kind, string(accounts), r.State, span(r.Took()),
			count(r.WindowsDone), count(r.Changed))
		switch {
		case !why:
		case r.Error != "":
			fmt.Fprintf(p.out, "  %s\n", strings.Join(strings.Fields(r.Error), " "))
		case r.State == status.Lost:
			fmt.Fprintf(p.out, "  process %s ended without a word; its last sign of life was at %s\n", r.Process, r.UpdatedAt.UTC().Format(time.DateTime))
		}
	}
}

// spend prints what was ordered in a currency, in days of a zone, and most of the products that cost the most.
func (p *program) spend(s *status.Spend, zone string, most int) {
	of := ""
	if zone != schema.DefaultZone {
		of = " of " + zone
	}
	fmt.Fprintf(p.out, "\nlast %s%s: %s created\n  %s %s before tax by those that are neither unpaid nor cancelled\n", plural(len(s.Days), "day"), of, plural(s.Orders, "order"),
		format.Amount(s.Amount), s.Currency)
	for _, x := range s.Products[:min(len(s.Products), most)] {
		name := x.Code
		if x.Name != "" {
			name = x.Name + " (" + x.Code + ")"
		}
		fmt.Fprintf(p.out, "  %-34s %16s %20s %s\n", printable(name), plural(x.Orders, "order"), format.Amount(x.Amount), s.Currency)
	}
}

func shortTime(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}
