package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// backfillFlags are what a backfill is told.
type backfillFlags struct {
	rangeFlags
	force bool
}

func (p *program) backfill() *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:   "backfill --from TIME [--to TIME]",
		Short: "Fill a range of time",
		Long: `Fill the range of creation times [from, to), in whole windows.

Windows that the ledger holds as complete are skipped, so the same command goes
on where one before it was stopped. --force lists them again; that costs list
calls, and detail calls only for orders that changed.`,
		Example: `  ordersync backfill --from 2024-01-01
  ordersync backfill --from 2024-01-01 --to 2024-02-01T12:00:00Z --account main
  ordersync backfill --from 30d
  ordersync backfill --from last-month --to this-month`,
		Args: cobra.NoArgs,
	}
	return f.of(cmd, p, p.runBackfill)
}

// of returns a verb these flags, and has it run with what they say.
func (f *backfillFlags) of(cmd *cobra.Command, p *program,
	run func(context.Context, *config.Config, time.Time, window.Interval, backfillFlags) error) *cobra.Command {
	f.add(cmd, "", " (default: now)")
	cmd.Flags().BoolVar(&f.force, "force", false, "list complete windows again too")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if f.from == "" {
			return usage(cmd, errors.New("--from is required: where to begin"))
		}
		f.to = cmp.Or(f.to, "now")
		now, r, cfg, err := f.read(cmd, p.load)
		if err != nil {
			return err
		}
		return run(cmd.Context(), cfg, now, r, *f)
	}
	return cmd
}

// onlyAccount leaves out all other accounts.
func onlyAccount(cfg *config.Config, name string) error {
	if name == "" {
		return nil
	}
	var names []string
	for _, a := range cfg.Accounts {
		if a.Name == name {
			cfg.Accounts = []config.Account{a}
			return nil
		}
		names = append(names, a.Name)
	}
	return fmt.Errorf("--account: there is no account %q (there are: %s)", name, strings.Join(names, ", "))
}

func (p *program) runBackfill(ctx context.Context, cfg *config.Config, now time.Time, r window.Interval, f backfillFlags) error {
	return p.withApp(ctx, app.Options{Config: cfg}, func(a *app.App) error {
		summary, progress, err := p.backfillWith(ctx, a, now, r, f.force)
		result := newBackfillResult(cfg, now, r, summary, progress.Windows.Load(), time.Since(now))
		result.Error = errorText(errors.Join(err, summary.Err()))
		p.report(result, func() {
			p.backfillTable(result)
			p.standing(ctx, a, cfg, result)
		})
		return backfillError(ctx, summary, err)
	})
}

// backfillWith runs a backfill with its progress on standard error.
func (p *program) backfillWith(ctx context.Context, a *app.App, now time.Time, r window.Interval, force bool) (stream.Summary, *stream.Progress, error) {
	progress := new(stream.Progress)
	stop := p.follow(ctx, backfillTask(progress, a))
	summary, err := a.Backfill(ctx, now, r.Start, r.End, force, progress)
	stop()
	return summary, progress, err
}

// backfillError is what a backfill ends with. An account that refuses our credentials makes it the environment's
// failure, whatever else went wrong.
func backfillError(ctx context.Context, s stream.Summary, err error) error {
	if cause := context.Cause(ctx); wasInterrupted(ctx) {
		if err != nil && !errors.Is(err, cause) {
			return fmt.Errorf("%w; not all that was fetched could be committed: run the same command again to go on\n%w", cause, err)
		}
		return fmt.Errorf("%w; what was fetched is committed: run the same command again to go on", cause)
	}
	undone := s.Err()
	if refused(s) {
		return &exitError{exitEnvironment, undone}
	}
	if err = errors.Join(err, undone); err != nil {
		return fmt.Errorf("something was left undone; run the same command again to try it again:\n%w", errors.Join(err, s.Why()))
	}
	return nil
}

// backfillResult is what a backfill reports.
type backfillResult struct {
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Seconds  float64           `json:"seconds"`
	Skipped  int64             `json:"windows_skipped"` // complete already
	Accounts []backfillAccount `json:"accounts"`
	Error    string            `json:"error,omitempty"`
}

type backfillAccount struct {
	schema.Stream
	Windows     map[schema.Verdict]int `json:"windows"`
	Orders      int                    `json:"orders"`
	Changed     int                    `json:"changed"`
	Items       int                    `json:"items"`
	Rejected    int                    `json:"rejected"`
	Pending     int                    `json:"pending"`
	ListCalls   int                    `json:"list_calls"`
	DetailCalls int                    `json:"detail_calls"`
	Error       string                 `json:"error,omitempty"`
}

// idle reports whether nothing came of it for the account or owner: no window is further than it was, and no order is new or has
// changed. That the open hour was listed again is not worth a line.
func (a backfillAccount) idle() bool {
	return a.Windows[schema.Complete]+a.Windows[schema.Short]+a.Windows[schema.Failed]+a.Changed+a.Items+a.Rejected+a.Pending == 0 && a.Error == ""
}

func newBackfillResult(cfg *config.Config, now time.Time, r window.Interval, s stream.Summary, planned int64, took time.Duration) backfillResult {
	aligned := r.Clip(window.Interval{Start: r.Start, End: now}).Align(cfg.Schedule.Window)
	windows := int64(0)
	for _, l := range s.Streams {
		if !l.ByID {
			windows += int64(aligned.End.Sub(aligned.Start) / cfg.Schedule.Window)
		}
	}
	result := backfillResult{From: aligned.Start, To: aligned.End, Seconds: took.Seconds(), Skipped: max(windows-planned, 0)}
	for _, l := range s.Streams {
		if l.Err != nil {
			result.Skipped = 0 // what was not planned was not skipped
		}
		result.Accounts = append(result.Accounts, backfillAccount{
			Stream: l.Stream, Windows: l.Windows, Orders: l.Listed, Changed: l.Changed, Items: l.Items,
			Rejected: l.Rejected, Pending: l.Pending, ListCalls: l.ListCalls, DetailCalls: l.Details, Error: errorText(l.Err),
		})
	}
	return result
}

func (p *program) backfillTable(r backfillResult) {
	fmt.Fprintf(p.out, "%s to %s in %s", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), span(time.Duration(r.Seconds*float64(time.Second))))
	if r.Skipped > 0 {
		fmt.Fprintf(p.out, "; %s complete already and skipped", plural(r.Skipped, "window"))
	}
	fmt.Fprintln(p.out)
	rows := [][]any{{"account", "complete", "open", "short", "failed", "orders", "changed", "items", "rejected", "pending", "list calls", "detail calls"}}
	busy := slices.DeleteFunc(slices.Clone(r.Accounts), backfillAccount.idle)
	for _, a := range busy {
		rows = append(rows, []any{
			a.Stream, a.Windows[schema.Complete], a.Windows[schema.Open],
			a.Windows[schema.Short], a.Windows[schema.Failed], a.Orders, a.Changed, a.Items, a.Rejected, a.Pending,
			a.ListCalls, a.DetailCalls,
		})
	}
	if len(busy) == 0 {
		fmt.Fprintln(p.out, "There was nothing new.")
		return
	}
	p.table(rows)
	if idle := len(r.Accounts) - len(busy); idle > 0 {
		fmt.Fprintf(p.out, "%s more had nothing new.\n", count(idle))
	}
	if slices.ContainsFunc(busy, func(a backfillAccount) bool { return a.Windows[schema.Open] > 0 }) {
		fmt.Fprintln(p.out, "open: the window, or its time to settle, is not over yet; a later run completes it")
	}
}

// standing prints how those stand now that the backfill did something for. Where it was stopped, or the warehouse does not answer, that
// is said elsewhere.
func (p *program) standing(ctx context.Context, a *app.App, cfg *config.Config, of backfillResult) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := status.Diagnose(ctx, cfg.Schedule, app.Streams(cfg), a.Warehouse().Sink, nil, time.Now().UTC())
	if err != nil {
		return
	}
	streams := slices.DeleteFunc(r.Glance(), func(l *status.Stream) bool {
		return !slices.ContainsFunc(of.Accounts, func(x backfillAccount) bool { return x.Key() == l.Key() && !x.idle() })
	})
	if len(streams) > 0 {
		fmt.Fprintln(p.out)
		p.glance(r, streams, false)
	}
}

// errorText is an error's text, or nothing.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
