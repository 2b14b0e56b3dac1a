package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/sync/stream"
)

const (
	lineEvery  = 10 * time.Second       // progress lines where there is no terminal
	redrawRate = 120 * time.Millisecond // of a bar
)

// task is a long verb under way. All of them are shown in the same way.
type task struct {
	verb    string
	state   func() state // how far it is; called by one goroutine at a time
	commits bool         // a stop commits what is in hand
	pace    pace
}

// state is how far a task is.
type state struct {
	share  float64   // of the work that is done, from 0 to 1; 0 while nobody knows
	ends   time.Time // when all of it will be, as it seems; zero while nobody knows
	done   int64     // of total units, for people; total is 0 where there are no units
	total  int64
	unit   string // "window"
	counts []counted
	limit  float64 // of the first count, a second; 0 for none
	waits  string  // why nothing happens now, and until when; mostly empty
}

// counted is something that is counted on the way. The first one has the rate.
type counted struct {
	n      int64
	things string // "orders"
}

func (c counted) text() string {
	return plural(c.n, strings.TrimSuffix(c.things, "s"))
}

// backfillTask is the progress of a backfill.
func backfillTask(p *stream.Progress, a *app.App) *task {
	return callingTask("backfill", "window", p, a, func() ([]counted, float64) {
		if p.Details.Load() == 0 { // nothing but listings so far, and maybe at all
			return calls(a), a.Limits().List
		}
		return []counted{{p.Details.Load(), "orders"}, {p.Items.Load(), "items"}}, a.Limits().Detail
	})
}

// verifyTask is the progress of a verification, which mostly asks for counts.
func verifyTask(p *stream.Progress, a *app.App) *task {
	return callingTask("verify", "window", p, a, func() ([]counted, float64) { return calls(a), a.Limits().List })
}

// ordersTask is the progress of a verb over orders that were named.
func ordersTask(verb string, p *stream.Progress, a *app.App) *task {
	return callingTask(verb, "order", p, a, func() ([]counted, float64) { return calls(a), a.Limits().Detail })
}

// callingTask is the progress of a run that calls vendors, by what it counts and how much of that a second is allowed.
func callingTask(verb, unit string, p *stream.Progress, a *app.App, counts func() ([]counted, float64)) *task {
	return &task{verb: verb, commits: true, state: func() state {
		s := windowsOf(p, unit)
		s.counts, s.limit = counts()
		if pause, ok := a.Pause(); ok {
			s.waits = pause.String()
		}
		return s
	}}
}

// windowsOf is what an engine's run says of itself.
func windowsOf(p *stream.Progress, unit string) state {
	s := state{done: p.Done.Load(), total: p.Windows.Load(), unit: unit}
	s.share, s.ends = p.Look(time.Now())
	return s
}

func calls(a *app.App) []counted { return []counted{{a.Calls(), "calls"}} }

// follow shows the progress of a task on standard error until stop is called: a bar on a terminal, a line now and then
// elsewhere, and such lines as JSON where a program reads. When the run's context ends it says what happens then.
func (p *program) follow(ctx context.Context, t *task) (stop func()) {
	told := context.AfterFunc(ctx, func() {
		text := "stopping; press Ctrl-C again to quit at once"
		if t.commits {
			text = "stopping: what is in hand is being committed; press Ctrl-C again to quit at once"
		}
		if p.machine {
			p.events().Info(text)
		} else {
			fmt.Fprintln(p.console, text)
		}
	})
	t.pace.begin(time.Now())
	var end func()
	switch {
	case p.machine:
		log := p.events()
		end = every(lineEvery, func() { log.LogAttrs(ctx, slog.LevelInfo, "progress", t.attrs(time.Now())...) })
	case isTerminal(p.err):
		end = p.bar(t)
	default:
		end = every(lineEvery, func() { fmt.Fprintln(p.console, t.line(time.Now())) })
	}
	return func() {
		told()
		end()
	}
}

// events writes JSON lines, as the log does.
func (p *program) events() *slog.Logger { return slog.New(slog.NewJSONHandler(p.console, nil)) }

// barTotal is what a whole bar counts to: shares are fractions, and bars count.
const barTotal = 10_000

func (p *program) bar(t *task) (stop func()) {
	container := mpb.New(mpb.WithOutput(p.err), mpb.WithRefreshRate(redrawRate))
	var now atomic.Pointer[words] // which the bar asks for while it is drawn
	now.Store(new(words))
	// The text comes first, and the bar takes the columns that are left, if they are enough for one and there is something to show.
	bar := container.AddBar(0, mpb.BarWidth(widestBar),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { // in the first column, wherever the cursor is
			return "\r" + joined([]string{t.verb, now.Load().share}, " ")
		})),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string { return now.Load().beside(s.AvailableWidth) })),
		mpb.BarFillerMiddleware(func(fill mpb.BarFiller) mpb.BarFiller {
			return mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
				if now.Load().share == "" || s.AvailableWidth < leastBar {
					return nil
				}
				return fill.Fill(w, s)
			})
		}),
	)
	before := p.console.redirect(fromTheLeft{container})
	shown := int64(0)
	update := func() {
		w := t.words(time.Now())
		now.Store(&w)
		s := t.state()
		shown = max(shown, int64(s.share*barTotal)) // a bar never goes back
		bar.SetTotal(barTotal+1, false)
		bar.SetCurrent(shown)
	}
	update()
	end := every(redrawRate, update)
	return func() {
		end()
		update()
		if shown == barTotal {
			bar.SetCurrent(barTotal + 1)
			bar.SetTotal(-1, true)
		} else {
			bar.Abort(false)
		}
		container.Wait()
		p.console.redirect(before)
	}
}

// fromTheLeft begins what is written above a bar in the first column: a terminal that shows ^C leaves the cursor behind that.
type fromTheLeft struct{ io.Writer }

func (w fromTheLeft) Write(b []byte) (int, error) {
	if _, err := w.Writer.Write(append([]byte(leftmost), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// leftmost takes the cursor to the first column and clears the line.
const leftmost = "\r\x1b[K"

// every calls do again and again until stop is called; after stop has returned it is not called any more.
func every(d time.Duration, do func()) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				do()
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
