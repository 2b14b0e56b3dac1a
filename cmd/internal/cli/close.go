package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

func (p *program) close() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "close MONTH",
		Short: "Record what a month came to, or check that a close can be had again",
		Long: `Record the moment at which a month is closed, and what each account and currency
came to until then, with a digest of the money of each line item. The month is
one of the reporting zone (reporting.timezone) and has to be over and whole: each
configured account with all of its windows complete, no record that could not be
stored, no open difference. If it is not, nothing is recorded and the cure is
named. Closing makes no call to a vendor and stops no order from changing.

The view closes has what was recorded, spend_at_close is spend as it was then, and
changes_since_close is what moved since, order by order. A month may be closed
again: that is another row of closes, and the views then go by the latest one.

--check adds the closes of a month, or of all months, up again from the states of
then and compares them with what was recorded, to the digit. The exit code is 4
where one differs.`,
		Example: `  ordersync close 2026-10
  ordersync close 2026-10 --check
  ordersync sql "SELECT * FROM changes_since_close WHERE month = '2026-10-01'"`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&check, "check", false, "compare the closes of the month, or of all months, with the states of then")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		var month time.Time
		switch {
		case len(args) == 1:
			if month, err = time.Parse("2006-01", args[0]); err == nil && (month.Before(schema.MinTime) || month.Year() > 2200) {
				err = errors.New("no order is of that time")
			}
			if err != nil {
				return usage(cmd, fmt.Errorf("%q is no month: write it as 2026-10", args[0]))
			}
		case !check:
			return usage(cmd, errors.New("which month? write it as 2026-10"))
		}
		return p.withWarehouse(cmd.Context(), p.loadOffline, app.WarehouseOptions{ReadOnly: check}, func(cfg *config.Config, w *app.Warehouse) error {
			if check {
				return p.checkCloses(cmd.Context(), w, month)
			}
			return p.closeMonth(cmd.Context(), w, cfg, month)
		})
	}
	return cmd
}

func (p *program) closeMonth(ctx context.Context, w *app.Warehouse, cfg *config.Config, month time.Time) error {
	before, err := w.ClosesOf(ctx, month)
	if err != nil {
		return err
	}
	by := operator()
	if host, err := os.Hostname(); err == nil {
		by += "@" + host
	}
	rows, err := w.CloseMonth(ctx, cfg, month, by, func(r sink.Run) {
		fmt.Fprintf(p.console, "waiting for the %s that %s began on %s: it may hold orders of the month that it has not written\n",
			r.Kind, printable(r.Process), shortTime(&r.StartedAt))
	})
	if err != nil {
		return err
	}
	lines := make([]closeLine, len(rows))
	for i, r := range rows {
		lines[i] = newCloseLine(r)
	}
	p.report(map[string]any{"closes": lines}, func() {
		p.closeTable(lines)
		fmt.Fprintf(p.out, "%s is closed as of %s, in the zone %s.\n", month.Format("2006-01"), rows[0].ClosedAt.Format(closeLayout), rows[0].Zone)
		if n := len(before); n > 0 {
			fmt.Fprintf(p.out, "It was closed before, on %s: changes_since_close now goes by this close.\n", before[n-1].ClosedAt.Format(closeLayout))
		}
	})
	return nil
}

// closeLayout is the moment of a close as the _as_of views take it, in UTC.
const closeLayout = "2006-01-02 15:04:05.000"

// checkCloses compares closes with what they come to now from the states of then.
func (p *program) checkCloses(ctx context.Context, w *app.Warehouse, month time.Time) error {
	closes := func(ctx context.Context) ([]sink.Close, error) { return w.ClosesOf(ctx, month) }
	if month.IsZero() { // none was named
		closes = w.Closes
	}
	rows, err := closes(ctx)
	if err != nil {
		return err
	}
	checked, err := w.CheckCloses(ctx, rows)
	if err != nil {
		return err
	}
	if len(checked) == 0 {
		if month.IsZero() {
			return errors.New("no month was closed: close one with `ordersync close MONTH`")
		}
		return fmt.Errorf("%s was not closed: close it with `ordersync close %[1]s`", month.Format("2006-01"))
	}
	differ := 0
	var lines []closeLine
	for _, c := range checked {
		l := newCloseLine(c.Close)
		same := c.Same()
		if l.Same = &same; !same {
			differ++
			l.Now = &amounts{Figures: c.Now}
		}
		lines = append(lines, l)
	}
	p.report(map[string]any{"ok": differ == 0, "closes": lines}, func() {
		p.closeTable(lines)
		if differ == 0 {
			fmt.Fprintln(p.out, "All of it can be reproduced, to the digit.")
		} else {
			fmt.Fprintf(p.out, "%s cannot be reproduced: the second line of each is what the orders of then come to now. A replay that reads\n"+
				"a payload better changes what was known, and so does a row that arrived late; closing the month again records it as it is.\n", plural(differ, "line"))
		}
	})
	if differ > 0 {
		return &exitError{code: exitDifferences}
	}
	return nil
}

// closeLine is a row of closes as it is shown.
type closeLine struct {
	Month    string    `json:"month"`
	Zone     string    `json:"zone"`
	ClosedAt time.Time `json:"closed_at"`
	ClosedBy string    `json:"closed_by"`
	sink.Figures
	Same *bool    `json:"same,omitempty"` // with --check
	Now  *amounts `json:"now,omitempty"`  // where it is not the same
}

// amounts are figures without the account and currency that they are of.
type amounts struct {
	sink.Figures
	Account  any `json:"account,omitempty"` // in the place of those of Figures, and always left out
	Currency any `json:"currency,omitempty"`
}

func newCloseLine(c sink.Close) closeLine {
	return closeLine{Month: c.Month.Format("2006-01"), Zone: c.Zone, ClosedAt: c.ClosedAt, ClosedBy: c.ClosedBy, Figures: c.Figures}
}

func (p *program) closeTable(lines []closeLine) {
	rows := [][]any{{"month", "closed, UTC", "account", "currency", "orders", "items", "paid", "refunded", "net", "tax", "unpaid", "digest"}}
	add := func(month, closed, account, currency string, f sink.Figures) {
		row := []any{month, closed, account, currency, f.Orders, f.Items}
		for _, m := range []schema.Money{f.Paid, f.Refunded, f.Net, f.Tax, f.Unpaid} {
			text := ""
			if m.Valid {
				text = m.Decimal.String()
			}
			row = append(row, text)
		}
		rows = append(rows, append(row, f.Digest[:min(12, len(f.Digest))]))
	}
	for _, l := range lines {
		add(l.Month, l.ClosedAt.Format(closeLayout), l.Account, l.Currency, l.Figures)
		if l.Now != nil {
			add("", "now", "", "", l.Now.Figures)
		}
	}
	p.table(rows)
}
