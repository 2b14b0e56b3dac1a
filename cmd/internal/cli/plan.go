package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

func (p *program) plan() *cobra.Command {
	var f backfillFlags
	cmd := &cobra.Command{
		Use:   "plan --from TIME [--to TIME]",
		Short: "Say about what a backfill would cost, without making it",
		Long: `Say about how many calls a backfill of the range would make and how long that
takes at the quota. It takes the flags of backfill, and leaves out what that
would skip. It writes nothing, and needs no warehouse.

It asks the source how many orders there are: one call for each 90 days, and up
to 60 more where it matters how the orders are spread over the days. The rest is
arithmetic, which is within 10 % of what a backfill then makes: a list call for
each day and each page of orders, a detail call for each order that is not stored.`,
		Example: `  ordersync plan --from 2024-01-01
  ordersync plan --from 30d --account main --json`,
		Args: cobra.NoArgs,
	}
	return f.of(cmd, p, p.runPlan)
}

func (p *program) runPlan(ctx context.Context, cfg *config.Config, now time.Time, r window.Interval, f backfillFlags) error {
	return p.withAppBy(ctx, app.Options{Config: cfg}, (*app.App).OpenToPlan, func(a *app.App) error {
		stop := p.follow(ctx, &task{verb: "plan", state: func() state { return state{counts: calls(a), limit: a.Limits().List} }})
		plans := a.Plan(ctx, now, r.Start, r.End, f.force)
		stop()
		result := newPlanResult(plans, now, r, cfg.Schedule.Window)
		if ctx.Err() != nil {
			result.Error = errorText(context.Cause(ctx))
		}
		p.report(result, func() { p.planTable(result) })
		return planError(ctx, plans)
	})
}

// planError is what plan ends with.
func planError(ctx context.Context, plans []app.AccountPlan) (err error) {
	if wasInterrupted(ctx) {
		return context.Cause(ctx)
	}
	refused := false
	for _, a := range plans {
		for _, l := range a.Streams {
			refused = refused || source.ReasonOf(l.Err) == source.Auth
			if l.Err != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", l.Stream, l.Err))
			}
		}
	}
	switch {
	case refused:
		return &exitError{exitEnvironment, err}
	case err != nil:
		return fmt.Errorf("the plan is not whole:\n%w", err)
	}
	return nil
}

// planResult is what plan reports. The totals are of all accounts; these work side by side, so the longest one counts.
type planResult struct {
	From        time.Time     `json:"from"`
	To          time.Time     `json:"to"`
	ListCalls   int           `json:"list_calls"`
	DetailCalls int           `json:"detail_calls"`
	Seconds     float64       `json:"seconds"`
	EndsAt      time.Time     `json:"ends_at"` // if it began now
	PlanCalls   int           `json:"plan_calls"`
	Accounts    []planAccount `json:"accounts"`
	Error       string        `json:"error,omitempty"`
}

// planAccount is one account; its streams share its quota, so their times add up.
type planAccount struct {
	Account     string       `json:"account"`
	ListQuota   float64      `json:"list_quota"` // calls a second
	DetailQuota float64      `json:"detail_quota"`
	Seconds     float64      `json:"seconds"`
	EndsAt      time.Time    `json:"ends_at"`
	Streams     []planStream `json:"lanes"`
}

type planStream struct {
	OwnerID     string  `json:"owner_id,omitempty"`
	Orders      int     `json:"orders"` // that the source has in the windows that are due
	Stored      int     `json:"stored"` // of these, with their items
	Windows     int     `json:"windows"`
	Skipped     int     `json:"windows_skipped"`
	ListCalls   int     `json:"list_calls"`
	DetailCalls int     `json:"detail_calls"`
	Seconds     float64 `json:"seconds"`
	Estimated   bool    `json:"list_calls_estimated"`
	CannotList  bool    `json:"cannot_list,omitempty"`
	Error       string  `json:"error,omitempty"`
}

func newPlanResult(plans []app.AccountPlan, now time.Time, r window.Interval, size time.Duration) planResult {
	aligned := r.Clip(window.Interval{Start: r.Start, End: now}).Align(size)
	result := planResult{From: aligned.Start, To: aligned.End, Accounts: []planAccount{}}
	var longest time.Duration
	for _, a := range plans {
		total := a.Total()
		took := a.Time(total)
		account := planAccount{
			Account: a.Account, ListQuota: a.Quota.List, DetailQuota: a.Quota.Detail, Seconds: took.Seconds(),
			EndsAt: now.Add(took).Round(time.Second), Streams: []planStream{},
		}
		for _, l := range a.Streams {
			account.Streams = append(account.Streams, planStream{
				OwnerID: l.OwnerID, Orders: l.Orders, Stored: l.Stored, Windows: l.Windows, Skipped: l.Skipped, ListCalls: l.ListCalls,
				DetailCalls: l.DetailCalls, Seconds: a.Time(l).Seconds(), Estimated: l.Estimated, CannotList: l.CannotList,
				Error: errorText(l.Err),
			})
		}
		result.Accounts = append(result.Accounts, account)
		result.ListCalls += total.ListCalls
		result.DetailCalls += total.DetailCalls
		result.PlanCalls += total.Calls
		longest = max(longest, took)
	}
	result.Seconds, result.EndsAt = longest.Seconds(), now.Add(longest).Round(time.Second)
	return result
}

func (p *program) planTable(r planResult) {
	fmt.Fprintf(p.out, "A backfill of %s to %s costs about:\n", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	rows := [][]any{{"account", "windows", "orders", "stored", "list calls", "detail calls", "takes"}}
	var notes []string
	skipped := 0
	for _, a := range r.Accounts {
		lists, details := 0, 0
		for _, l := range a.Streams {
			stream := schema.Stream{Account: a.Account, OwnerID: l.OwnerID}
			switch {
			case l.CannotList:
				notes = append(notes, fmt.Sprintf("%s: its source cannot list orders, so there is nothing to backfill", stream))
			case l.Error == "": // else it is said at the end
				rows = append(rows, []any{stream, l.Windows, l.Orders, l.Stored, l.ListCalls, l.DetailCalls, inWords(l.Seconds)})
			}
			lists, details, skipped = lists+l.ListCalls, details+l.DetailCalls, skipped+l.Skipped
		}
		if lists+details > 0 {
			notes = append(notes, fmt.Sprintf("%s: %s in about %s at %s list and %s detail calls a second;\n  begun now, it ends at about %s", a.Account,
				plural(lists+details, "call"), inWords(a.Seconds), number(a.ListQuota), number(a.DetailQuota), a.EndsAt.Format(time.RFC3339)))
		}
	}
	if len(rows) > 1 {
		p.table(rows)
	}
	if skipped > 0 {
		notes = append(notes, plural(skipped, "window")+" complete already and skipped")
	}
	for _, n := range notes {
		fmt.Fprintln(p.out, n)
	}
	fmt.Fprintf(p.out, "It took %s to estimate this, within 10 %%. Not in it: stored orders\n"+
		"that have changed (one detail call each), orders still to come, and calls that\nmust be made again.\n", plural(r.PlanCalls, "call"))
}

// inWords writes a duration in words.
func inWords(s float64) string { return span(time.Duration(s * float64(time.Second))) }

// number writes a number without needless digits.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
