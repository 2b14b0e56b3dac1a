package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/window"
)

// verifyFlags are what verify is told.
type verifyFlags struct {
	from, to     string
	deep, repair bool
	account      string
	json         bool
}

func (p *program) verify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [--from TIME] [--to TIME]",
		Short: "Prove that the copy is exact, or show where it is not",
		Long: `Compare the copy with its own ledger, which costs no call, and with the source:
the number of orders in a span by one call, against those stored. Where they
differ the span is halved, so a year that agrees costs a handful of calls.

Without --from and --to it verifies all that the ledger of each account covers.
Windows that may still receive orders are left out.

--deep lists everything again and compares each order, and each stored row with
the payload that it was made of. It costs the list calls of a backfill.

--repair walks the windows that differ again.

The exit code is 4 when differences are left, and 0 when all agrees or all was
repaired. What was found is also in the table sync_verifications. The daemon
verifies everything once a day.`,
		Example: `  ordersync verify
  ordersync verify --from 2024-01-01 --to 2025-01-01 --repair
  ordersync verify --from -30d --deep --account main`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&f.from, "from", "", "begin with orders created at this `time`: "+timeHelp+" (default: where the ledger begins)")
	cmd.Flags().StringVar(&f.to, "to", "", "end before orders created at this `time` (default: where the ledger ends)")
	cmd.Flags().BoolVar(&f.deep, "deep", false, "compare each order, not only their number")
	cmd.Flags().BoolVar(&f.repair, "repair", false, "walk the windows that differ again")
	cmd.Flags().StringVar(&f.account, "account", "", "only the account of this `name`")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		now, r, cfg, err := rangeOf(cmd, f.from, f.to, f.account, p.load)
		if err != nil {
			return err
		}
		return p.runVerify(cmd.Context(), cfg, now, r, f)
	}
	return cmd
}

func (p *program) runVerify(ctx context.Context, cfg *config.Config, now time.Time, r window.Interval, f verifyFlags) error {
	a, err := p.openApp(ctx, app.Options{Config: cfg})
	if err != nil {
		return err
	}
	progress := new(engine.Progress)
	stop := p.follow(ctx, verifyTask(progress, a))
	found, err := a.Verify(ctx, now, app.VerifyOptions{
		VerifyOptions: engine.VerifyOptions{Deep: f.deep, Repair: f.repair}, From: r.Start, To: r.End,
	}, progress)
	stop()
	result := newVerifyResult(found, a.Calls(), time.Since(now))
	if f.json {
		result.Error = errorText(err)
		p.json(result)
	} else {
		p.verifyTable(result, f)
	}
	return errors.Join(verifyError(ctx, found, err), a.Stop())
}

// verifyError is what verify ends with. What could not be compared weighs more than what differs: it may differ too.
func verifyError(ctx context.Context, found []app.Verified, err error) error {
	if wasInterrupted(ctx) {
		return context.Cause(ctx)
	}
	left, refused := 0, false
	undone := []error{err}
	for _, v := range found {
		left += v.Differences
		refused = refused || source.ReasonOf(v.Err) == source.Auth
		undone = append(undone, v.Err)
	}
	err = errors.Join(undone...)
	switch {
	case refused:
		return &exitError{exitEnvironment, err}
	case err != nil:
		return fmt.Errorf("the verification is not whole:\n%w", err)
	case left > 0:
		return &exitError{code: exitDifferences} // the table has said it
	}
	for _, v := range found {
		err = errors.Join(err, v.Undone)
	}
	return err
}

// verifyResult is what verify reports.
type verifyResult struct {
	OK          bool            `json:"ok"` // everything was compared, and no difference is left
	Seconds     float64         `json:"seconds"`
	Calls       int64           `json:"calls"`
	Left        int             `json:"left"`
	Repaired    int             `json:"repaired"`
	Accounts    []verifyAccount `json:"accounts"`
	Differences []difference    `json:"differences"`
	Error       string          `json:"error,omitempty"`
}

type verifyAccount struct {
	Account     string    `json:"account"`
	OwnerID     string    `json:"owner_id,omitempty"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Windows     int       `json:"windows"`
	Calls       int       `json:"calls"`
	Differences int       `json:"differences"` // left
	Repaired    int       `json:"repaired"`
	Note        string    `json:"note,omitempty"` // why there was nothing to compare
	Error       string    `json:"error,omitempty"`
}

type difference struct {
	Account  string      `json:"account"`
	OwnerID  string      `json:"owner_id,omitempty"`
	Start    time.Time   `json:"start"`
	End      time.Time   `json:"end"`
	Kind     engine.Kind `json:"kind"`
	OrderID  string      `json:"order_id,omitempty"`
	Source   int         `json:"source"`
	Stored   int         `json:"stored"`
	Note     string      `json:"note,omitempty"`
	Repaired bool        `json:"repaired"`
}

func newVerifyResult(found []app.Verified, calls int64, took time.Duration) verifyResult {
	r := verifyResult{OK: true, Seconds: took.Seconds(), Calls: calls, Accounts: []verifyAccount{}, Differences: []difference{}}
	for _, v := range found {
		r.Accounts = append(r.Accounts, verifyAccount{
			Account: v.Account, OwnerID: v.OwnerID, From: v.From, To: v.To, Windows: v.Windows, Calls: v.Calls,
			Differences: v.Differences, Repaired: v.Repaired, Note: v.Note, Error: errorText(errors.Join(v.Err, v.Undone)),
		})
		r.Left += v.Differences
		r.Repaired += v.Repaired
		r.OK = r.OK && v.Differences == 0 && v.Err == nil && v.Undone == nil
		for _, d := range v.Found {
			r.Differences = append(r.Differences, difference{
				Account: d.Account, OwnerID: d.OwnerID, Start: d.Start, End: d.End, Kind: d.Kind, OrderID: d.OrderID,
				Source: d.Source, Stored: d.Stored, Note: d.Note, Repaired: d.Repaired,
			})
		}
	}
	return r
}

// mostShown bounds the table: who has more differences than that needs a repair or SQL, not a longer table.
const mostShown = 200

func (p *program) verifyTable(r verifyResult, f verifyFlags) {
	if len(r.Differences) > 0 {
		rows := [][]any{{"account", "from", "to", "kind", "order", "source", "stored", "note", "repaired"}}
		for _, d := range r.Differences[:min(len(r.Differences), mostShown)] {
			repaired := "no"
			if d.Repaired {
				repaired = "yes"
			}
			rows = append(rows, []any{schema.Lane{Account: d.Account, OwnerID: d.OwnerID}, shortTime(&d.Start), shortTime(&d.End),
				d.Kind, printable(d.OrderID), d.Source, d.Stored, printable(d.Note), repaired})
		}
		p.table(rows)
		if n := len(r.Differences) - mostShown; n > 0 {
			fmt.Fprintf(p.out, "and %s more; --json shows all\n", count(n))
		}
	}
	for _, a := range r.Accounts {
		lane := schema.Lane{Account: a.Account, OwnerID: a.OwnerID}
		switch {
		case a.Note != "":
			fmt.Fprintf(p.out, "%s: %s\n", lane, a.Note)
		case a.Windows == 0 && a.Error != "": // the error says it
		case a.Windows == 0 && a.Calls > 0:
			fmt.Fprintf(p.out, "%s: its stored orders, %s: %s\n", lane, plural(a.Calls, "call"), conclusion(a, f))
		case a.Windows == 0:
			fmt.Fprintf(p.out, "%s: there is no closed window to verify\n", lane)
		default:
			fmt.Fprintf(p.out, "%s: %s from %s to %s, %s: %s\n", lane, plural(a.Windows, "window"), a.From.Format(time.RFC3339),
				a.To.Format(time.RFC3339), plural(a.Calls, "call"), conclusion(a, f))
		}
	}
}

// conclusion is what an account's verification comes to, in words.
func conclusion(a verifyAccount, f verifyFlags) string {
	switch {
	case a.Error != "" && a.Differences == 0 && a.Repaired == 0:
		return "not finished"
	case a.Differences == 0 && a.Repaired == 0:
		return "all agrees"
	case a.Differences == 0:
		return plural(a.Repaired, "difference") + ", all repaired"
	case f.repair:
		return fmt.Sprintf("%s left, %s repaired", plural(a.Differences, "difference"), count(a.Repaired))
	}
	return plural(a.Differences, "difference") + "; --repair walks these windows again"
}
