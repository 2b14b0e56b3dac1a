package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

func (p *program) status() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show coverage, lag and problems, from the ledger",
		Long: `Show what the ledger says of each account: windows by verdict, how far behind
it is, gaps, records that could not be stored, orders without their items, and
what the last verification found.

It makes no call to a vendor. The exit code is 1 when something is behind or
has failed.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := p.loadForReading()
		if err != nil {
			return err
		}
		w, err := p.openWarehouse(cmd.Context(), cfg, true)
		if err != nil {
			return err
		}
		defer w.Close()
		s, err := readStatus(cmd.Context(), cfg, w, time.Now().UTC())
		if err != nil {
			return err
		}
		if asJSON {
			p.json(s)
		} else {
			p.statusTable(s)
		}
		if !s.OK {
			return &exitError{code: exitFailure}
		}
		return nil
	}
	return cmd
}

// statusReport is what status reports.
type statusReport struct {
	OK       bool            `json:"ok"`
	Now      time.Time       `json:"now"`
	Accounts []accountStatus `json:"accounts"`
}

type accountStatus struct {
	Account      string                 `json:"account"`
	OwnerID      string                 `json:"owner_id,omitempty"`
	Windows      map[schema.Verdict]int `json:"windows"`
	LagSeconds   *float64               `json:"lag_seconds"` // null while nothing is complete
	CompleteFrom *time.Time             `json:"complete_from"`
	CompleteTo   *time.Time             `json:"complete_to"`
	Oldest       *time.Time             `json:"oldest"`
	Newest       *time.Time             `json:"newest"`
	Gaps         int                    `json:"gaps"`
	GapSeconds   float64                `json:"gap_seconds"`
	Orders       uint64                 `json:"orders"`
	OpenRejects  int                    `json:"open_rejects"`
	Accepted     int                    `json:"accepted_rejects"`
	Pending      uint64                 `json:"pending"`
	LastRun      *time.Time             `json:"last_run"`
	Verified     *lastVerification      `json:"last_verification"` // null where there was none
	Problems     []string               `json:"problems"`
}

// lastVerification is the last one of all that the ledger covered.
type lastVerification struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Finished    time.Time `json:"finished_at"`
	Calls       int       `json:"calls"`
	Differences int       `json:"differences"` // left
	Error       string    `json:"error,omitempty"`
}

// readStatus asks the ledger.
func readStatus(ctx context.Context, cfg *config.Config, w *app.Warehouse, now time.Time) (statusReport, error) {
	lanes, err := w.Summaries(ctx, "")
	if err != nil {
		return statusReport{}, err
	}
	rejects, err := w.RejectCounts(ctx)
	if err != nil {
		return statusReport{}, err
	}
	verified, err := w.LastVerifications(ctx, "")
	if err != nil {
		return statusReport{}, err
	}
	// An account without a line in the ledger is the worst case, not none.
	for i := range cfg.Accounts {
		name := cfg.Accounts[i].Name
		if !slices.ContainsFunc(lanes, func(l sink.LaneSummary) bool { return l.Account == name }) {
			lanes = append(lanes, sink.LaneSummary{Lane: schema.Lane{Source: cfg.Accounts[i].Source, Account: name}})
		}
	}
	report := statusReport{OK: true, Now: now, Accounts: []accountStatus{}}
	for _, l := range lanes {
		var open sink.RejectCount
		for _, r := range rejects {
			if r.Account == l.Account && r.OwnerID == l.OwnerID {
				open = r
			}
		}
		var last *lastVerification
		for _, v := range verified {
			if v.Account == l.Account && v.OwnerID == l.OwnerID {
				last = &lastVerification{v.From, v.To, v.FinishedAt, v.Calls, v.Differences, v.Error}
			}
		}
		a := newAccountStatus(l, open, last, now, behindAfter(cfg.Schedule, now))
		report.OK = report.OK && len(a.Problems) == 0
		report.Accounts = append(report.Accounts, a)
	}
	return report, nil
}

// behindAfter is the lag that a daemon in good health stays below: a window, its time to settle, and two ticks, since
// one of them may take long.
func behindAfter(s config.Schedule, now time.Time) time.Duration {
	limit := s.Window + s.Settle + time.Minute
	if schedule, err := cron.ParseStandard(s.Cron); err == nil {
		next := schedule.Next(now)
		limit += 2 * schedule.Next(next).Sub(next)
	}
	return limit
}

func newAccountStatus(l sink.LaneSummary, rejects sink.RejectCount, last *lastVerification, now time.Time, behind time.Duration) accountStatus {
	a := accountStatus{
		Account: l.Account, OwnerID: l.OwnerID, Windows: l.Windows, Gaps: l.Gaps, GapSeconds: l.Missing.Seconds(),
		Orders: l.Orders, OpenRejects: rejects.Open, Accepted: rejects.Accepted, Pending: l.Pending, Verified: last, Problems: []string{},
		CompleteFrom: timeOrNull(l.CompleteFrom), CompleteTo: timeOrNull(l.CompleteTo),
		Oldest: timeOrNull(l.Oldest), Newest: timeOrNull(l.Newest), LastRun: timeOrNull(l.LastFinished),
	}
	problem := func(format string, args ...any) { a.Problems = append(a.Problems, fmt.Sprintf(format, args...)) }
	switch {
	case len(l.Windows) == 0:
		problem("never synced: run `ordersync backfill --from …`, then `ordersync run`")
	case l.CompleteTo.IsZero():
		problem("no window is complete yet")
	default:
		lag := now.Sub(l.CompleteTo).Seconds()
		a.LagSeconds = &lag
		if now.Sub(l.CompleteTo) > behind {
			problem("behind by %s: is `ordersync run` running?", span(now.Sub(l.CompleteTo)))
		}
	}
	for _, v := range []schema.Verdict{schema.Short, schema.Failed} {
		if n := l.Windows[v]; n > 0 {
			problem("%d windows are %s: SELECT * FROM sync_windows WHERE verdict = '%s'", n, v, v)
		}
	}
	if l.Gaps > 0 {
		problem("%d gaps, %s in all, between the oldest and the newest window: `ordersync backfill` fills them", l.Gaps, span(l.Missing))
	}
	if rejects.Open > 0 {
		problem("%d records could not be stored: `ordersync rejects` lists them", rejects.Open)
	}
	// Those whose missing detail an operator accepted are no problem any more.
	if l.Pending > uint64(rejects.AcceptedDetails) {
		problem("%d orders are without their items: SELECT * FROM orders WHERE detail_status = 'pending'", l.Pending-uint64(rejects.AcceptedDetails))
	}
	switch {
	case last == nil:
	case last.Differences > 0:
		problem("the last verification, of %s, left %d differences: `ordersync verify --repair`", shortTime(&last.Finished), last.Differences)
	case last.Error != "":
		problem("the last verification, of %s, was not finished: %s", shortTime(&last.Finished), last.Error)
	}
	return a
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (p *program) statusTable(s statusReport) {
	if len(s.Accounts) == 0 {
		fmt.Fprintln(p.out, "The ledger is empty, and no account is configured.")
		return
	}
	rows := [][]any{{"account", "complete", "open", "short", "failed", "gaps", "orders", "rejects", "pending", "lag", "oldest", "complete to", "last run"}}
	for _, a := range s.Accounts {
		lag := "-"
		if a.LagSeconds != nil {
			lag = span(time.Duration(*a.LagSeconds * float64(time.Second)))
		}
		rows = append(rows, []any{
			schema.Lane{Account: a.Account, OwnerID: a.OwnerID}, a.Windows[schema.Complete], a.Windows[schema.Open],
			a.Windows[schema.Short], a.Windows[schema.Failed], a.Gaps, a.Orders, a.OpenRejects, a.Pending, lag,
			shortTime(a.Oldest), shortTime(a.CompleteTo), shortTime(a.LastRun),
		})
	}
	p.table(rows)
	for _, a := range s.Accounts {
		if v := a.Verified; v != nil && v.Differences == 0 && v.Error == "" {
			fmt.Fprintf(p.out, "%s: verified %s, from %s to %s by %s: the copy agrees with the source\n",
				schema.Lane{Account: a.Account, OwnerID: a.OwnerID}, shortTime(&v.Finished), shortTime(&v.From), shortTime(&v.To), plural(v.Calls, "call"))
		}
		if a.Accepted > 0 {
			fmt.Fprintf(p.out, "%s: %s accepted by an operator (`ordersync rejects --all`)\n",
				schema.Lane{Account: a.Account, OwnerID: a.OwnerID}, plural(a.Accepted, "reject"))
		}
	}
	for _, a := range s.Accounts {
		if len(a.Problems) > 0 {
			fmt.Fprintf(p.out, "%s:\n  %s\n", schema.Lane{Account: a.Account, OwnerID: a.OwnerID}, strings.Join(a.Problems, "\n  "))
		}
	}
	if s.OK {
		fmt.Fprintln(p.out, "all is well; times are UTC")
	}
}

func shortTime(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}
