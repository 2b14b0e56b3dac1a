package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ordersync/ordersync/sync/engine"
)

const (
	lineEvery  = 10 * time.Second       // progress lines where there is no terminal
	redrawRate = 120 * time.Millisecond // of a bar
	rateOver   = 5                      // seconds over which calls a second are averaged
)

// follow shows the progress of a run on standard error until stop is called: a bar on a terminal, a line now and then
// elsewhere. When the run's context ends it says what happens then.
func (p *program) follow(ctx context.Context, v *view) (stop func()) {
	v.start = time.Now()
	told := context.AfterFunc(ctx, func() {
		fmt.Fprintln(p.console, "stopping: what is in hand is being committed; once more ends at once")
	})
	var end func()
	if isTerminal(p.err) {
		end = p.bar(v)
	} else {
		end = every(lineEvery, func() { fmt.Fprintln(p.console, v.line()) })
	}
	return func() {
		told()
		end()
	}
}

func (p *program) bar(v *view) (stop func()) {
	container := mpb.New(mpb.WithOutput(p.err), mpb.WithRefreshRate(redrawRate))
	// A total of 0 keeps the bar open until it is told that all is done: windows are planned while others are walked.
	bar := container.AddBar(0,
		mpb.BarWidth(30),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return v.windows() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return v.counts() })),
	)
	before := p.console.redirect(container)
	update := func() {
		bar.SetTotal(max(v.run.Windows.Load(), 1), false)
		bar.SetCurrent(v.run.Done.Load())
	}
	end := every(redrawRate, update)
	return func() {
		end()
		update()
		if v.run.Done.Load() >= v.run.Windows.Load() {
			bar.SetTotal(-1, true)
		} else {
			bar.Abort(false)
		}
		container.Wait()
		p.console.redirect(before)
	}
}

// view words the progress of a run.
type view struct {
	run    *engine.Progress
	calls  func() int64  // made so far
	unit   string        // what the bar counts; "windows" where it is empty
	detail func() string // what is said beside the bar; orders and items where it is nil
	start  time.Time

	mu      sync.Mutex
	samples []sample // one a second, at most rateOver+1
}

type sample struct {
	at    time.Time
	calls int64
}

func (v *view) windows() string {
	total := v.run.Windows.Load()
	if total == 0 {
		return "working "
	}
	return fmt.Sprintf("%s %s/%s ", cmp.Or(v.unit, "windows"), count(v.run.Done.Load()), count(total))
}

func (v *view) counts() string {
	text := ""
	if v.detail != nil {
		text = " " + v.detail()
	} else {
		text = fmt.Sprintf(" %s orders  %s items", count(v.run.Details.Load()), count(v.run.Items.Load()))
	}
	if v.calls != nil {
		text += fmt.Sprintf("  %.0f calls/s", v.rate(time.Now()))
	}
	if eta, ok := v.eta(time.Now()); ok {
		text += "  ETA " + span(eta)
	}
	return text
}

func (v *view) line() string { return v.windows() + v.counts() }

// eta supposes that the windows to come take as long as those before.
func (v *view) eta(now time.Time) (time.Duration, bool) {
	done, total := v.run.Done.Load(), v.run.Windows.Load()
	if done == 0 || done >= total {
		return 0, false
	}
	return time.Duration(float64(now.Sub(v.start)) / float64(done) * float64(total-done)).Round(time.Second), true
}

// rate is calls a second over the last seconds.
func (v *view) rate(now time.Time) float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := sample{now, v.calls()}
	first := sample{at: v.start}
	if len(v.samples) > 0 {
		first = v.samples[0]
	}
	if n := len(v.samples); n == 0 || now.Sub(v.samples[n-1].at) >= time.Second {
		v.samples = append(v.samples, s)
		if len(v.samples) > rateOver {
			v.samples = v.samples[1:]
		}
	}
	if over := now.Sub(first.at).Seconds(); over > 0 {
		return float64(s.calls-first.calls) / over
	}
	return 0
}

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

// download shows the first download of the embedded engine. The zero value is not usable; close must be called.
type download struct {
	p         *program
	container *mpb.Progress
	bar       *mpb.Bar
	before    io.Writer
	stage     string
	said      time.Time
}

func (p *program) download() *download { return &download{p: p} }

// progress is told how far a stage is, in bytes. Calls come one at a time.
func (d *download) progress(stage string, done, total int64) {
	if !isTerminal(d.p.err) {
		if stage != d.stage || done == total || time.Since(d.said) >= lineEvery {
			fmt.Fprintf(d.p.console, "%s of the ClickHouse engine, once: %d of %d MB\n", stage, done/1e6, total/1e6)
			d.said = time.Now()
		}
		d.stage = stage
		return
	}
	if d.container == nil {
		d.container = mpb.New(mpb.WithOutput(d.p.err), mpb.WithRefreshRate(redrawRate))
		d.before = d.p.console.redirect(d.container)
	}
	if stage != d.stage {
		d.finish()
		d.stage = stage
		d.bar = d.container.AddBar(total, mpb.BarWidth(30),
			mpb.PrependDecorators(decor.Name(stage+" of the ClickHouse engine, once ")),
			mpb.AppendDecorators(decor.CountersKiloByte("% .0f / % .0f")),
		)
	}
	d.bar.SetCurrent(done)
}

// finish ends the bar of a stage.
func (d *download) finish() {
	if d.bar != nil {
		d.bar.Abort(false) // does nothing to a bar that is complete
		d.bar.Wait()
	}
}

func (d *download) close() {
	if d.container == nil {
		return
	}
	d.finish()
	d.container.Wait()
	d.p.console.redirect(d.before)
	d.container = nil
}
