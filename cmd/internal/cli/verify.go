package cli

import (
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
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// verifyFlags are what verify is told.
type verifyFlags struct {
	rangeFlags
	deep, repair bool
}

func (p *program) verify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [--from TIME] [--to TIME]",
		Short: "Compare the copy with the source, and show where they differ",
		Long: `Compare the copy with its own ledger, which costs no call, and with the source:
the number of orders in a span by one call, against those stored. Where they
differ the span is halved, so a year that agrees costs a handful of calls.
That counts agree says nothing of what the orders are like.

Without --from and --to it verifies all that the ledger of each account covers.
Windows that may still receive orders, and those that the ledger does not hold
as complete, are left out, and the result says how many.

--deep lists everything again and compares each list row, and each stored row
with the payload that it was made of. It costs the list calls of a backfill. It
does not ask for the details of orders, but where they cannot be listed.

--repair lists the windows that differ again and then looks again, as deep as
the difference was found. Repaired is what was listed whole, or fetched, and did
not differ any more. It repairs what earlier verifications found, too.

A difference stays open, in sync_findings, status and metrics, until a look of
the same depth at the same place does not find it again: that two counts agree
ends no difference between orders.

The exit code is 4 when differences are left, those found earlier included, and
0 when there are none or all were repaired. The daemon compares the counts of
everything once a day.`,
		Example: `  ordersync verify
  ordersync verify --from 2024-01-01 --to 2025-01-01 --repair
  ordersync verify --from 30d --deep --account main`,
		Args: cobra.NoArgs,
	}
	f.add(cmd, " (default: where the ledger begins)", " (default: where the ledger ends)")
	cmd.Flags().BoolVar(&f.deep, "deep", false, "compare list rows and stored payloads, not only counts")
	cmd.Flags().BoolVar(&f.repair, "repair", false, "list the windows that differ again, and look again")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		now, r, cfg, err := f.read(cmd, p.load)
		if err != nil {
			return err
		}
		return p.runVerify(cmd.Context(), cfg, now, r, f)
	}
	return cmd
}

func (p *program) runVerify(ctx context.Context, cfg *config.Config, now time.Time, r window.Interval, f verifyFlags) error {
	return p.withApp(ctx, app.Options{Config: cfg}, func(a *app.App) error {
		progress := new(stream.Progress)
		stop := p.follow(ctx, verifyTask(progress, a))
		found, err := a.Verify(ctx, now, app.VerifyOptions{
			Options: audit.Options{Deep: f.deep, Repair: f.repair}, From: r.Start, To: r.End,
		}, progress)
		stop()
		result := newVerifyResult(found, a.Calls(), time.Since(now))
		result.Error = errorText(err)
		p.report(result, func() { p.verifyTable(result, f) })
		return verifyError(ctx, found, err)
	})
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
	OK          bool               `json:"ok"` // everything was compared, and no difference is left
	Seconds     float64            `json:"seconds"`
	Calls       int64              `json:"calls"`
	Left        int                `json:"left"`
	Repaired    int                `json:"repaired"`
	Accounts    []verifyAccount    `json:"accounts"`
	Differences []audit.Difference `json:"differences"`
	Error       string             `json:"error,omitempty"`
}

type verifyAccount struct {
	schema.Stream
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Compared    string    `json:"compared"` // counts, or list rows and stored payloads
	Windows     int       `json:"windows"`  // compared
	LeftOut     int       `json:"left_out"` // windows that were not
	Calls       int       `json:"calls"`
	Differences int       `json:"differences"` // open, those found earlier included
	Repaired    int       `json:"repaired"`
	Note        string    `json:"note,omitempty"` // why there was nothing to compare
	Error       string    `json:"error,omitempty"`
}

// What was compared, in words.
func compared(deep, lists bool) string {
	switch {
	case deep && lists:
		return status.ComparedRows
	case deep:
		return "details"
	}
	return status.ComparedCounts
}

func newVerifyResult(found []app.Verified, calls int64, took time.Duration) verifyResult {
	r := verifyResult{OK: true, Seconds: took.Seconds(), Calls: calls, Accounts: []verifyAccount{}, Differences: []audit.Difference{}}
	for _, v := range found {
		r.Accounts = append(r.Accounts, verifyAccount{
			Stream: v.Stream, From: v.From, To: v.To, Compared: compared(v.Deep, !v.ByID),
			Windows: v.Windows, LeftOut: v.LeftOut, Calls: v.Calls,
			Differences: v.Differences, Repaired: v.Repaired, Note: v.Note, Error: errorText(errors.Join(v.Err, v.Undone)),
		})
		r.Left += v.Differences
		r.Repaired += v.Repaired
		r.OK = r.OK && v.Differences == 0 && v.Err == nil && v.Undone == nil
		r.Differences = append(r.Differences, v.Found...)
	}
	return r
}

// mostShown bounds the table: who has more differences than that needs a repair or SQL, not a longer table.
const mostShown = 200

func (p *program) verifyTable(r verifyResult, f verifyFlags) {
	if len(r.Differences) > 0 {
		rows := [][]any{{"account", "from", "to", "kind", "order", "source", "stored", "note", "repaired"}}
		for _, d := range r.Differences[:min(len(r.Differences), mostShown)] {
			repaired, note := "no", d.Note
			switch {
			case d.Repaired:
				repaired = "yes"
			case d.Why != "":
				repaired = "no: " + printable(d.Why)
			}
			if !d.FoundAt.IsZero() {
				note += "; found on " + shortTime(&d.FoundAt)
				if !d.Repaired && d.Why == "" {
					note += ", and not looked at as deep now"
				}
				note = strings.TrimPrefix(note, "; ")
			}
			rows = append(rows, []any{d.Stream, shortTime(&d.Start), shortTime(&d.End),
				d.Kind, printable(d.OrderID), d.Source, d.Stored, printable(note), repaired})
		}
		p.table(rows)
		if n := len(r.Differences) - mostShown; n > 0 {
			fmt.Fprintf(p.out, "and %s more; --json shows all\n", count(n))
		}
	}
	for _, a := range r.Accounts {
		switch {
		case a.Note != "" && a.Differences > 0:
			fmt.Fprintf(p.out, "%s: %s; %s found earlier\n", a.Stream, a.Note, plural(a.Differences, "difference"))
		case a.Note != "":
			fmt.Fprintf(p.out, "%s: %s\n", a.Stream, a.Note)
		case a.Windows+a.LeftOut == 0 && a.Error != "": // the error says it
		case a.Windows+a.LeftOut == 0 && a.Calls > 0:
			fmt.Fprintf(p.out, "%s: its stored orders, %s: %s\n", a.Stream, plural(a.Calls, "call"), conclusion(a, f))
		case a.Windows+a.LeftOut == 0:
			fmt.Fprintf(p.out, "%s: there is no closed window to verify\n", a.Stream)
		default:
			fmt.Fprintf(p.out, "%s: %s from %s to %s, %s: %s\n", a.Stream, plural(a.Windows, "window"), a.From.Format(time.RFC3339),
				a.To.Format(time.RFC3339), plural(a.Calls, "call"), conclusion(a, f))
			if a.LeftOut > 0 {
				fmt.Fprintf(p.out, "%s: %s of that time left out: nothing is said of them\n", a.Stream, plural(a.LeftOut, "window"))
			}
		}
	}
	if !f.repair && slices.ContainsFunc(r.Differences, func(d audit.Difference) bool { return d.Kind == audit.Altered }) {
		fmt.Fprintln(p.out, "altered rows are made again of their payloads by `ordersync replay`, which makes no call")
	}
}

// conclusion is what an account's verification comes to, in words, and no more than was compared (I12).
func conclusion(a verifyAccount, f verifyFlags) string {
	switch {
	case a.Error != "" && a.Differences == 0 && a.Repaired == 0:
		return "not finished"
	case a.Differences == 0 && a.Repaired == 0 && a.Windows == 0 && a.LeftOut > 0:
		return "nothing could be compared"
	case a.Differences == 0 && a.Repaired == 0:
		return a.Compared + " agree"
	case a.Differences == 0:
		return plural(a.Repaired, "difference") + ", all repaired"
	case f.repair:
		return fmt.Sprintf("%s left, %s repaired", plural(a.Differences, "difference"), count(a.Repaired))
	}
	return plural(a.Differences, "difference") + "; --repair lists these windows again"
}
