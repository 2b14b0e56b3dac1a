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
	"github.com/ordersync/ordersync/sync/stream"
)

// cancelFlags are what cancel is told.
type cancelFlags struct {
	streamFlags
	file, olderThan string
	dryRun, yes     bool
}

func (p *program) cancel() *cobra.Command {
	var f cancelFlags
	cmd := &cobra.Command{
		Use:   "cancel [ID…]",
		Short: "Cancel unpaid orders at the vendor",
		Long: `Cancel unpaid orders at the vendor (CancelOrder). It is the only thing in
ordersync that changes anything there, and only this command does it.

Each order is fetched and shown first. One that is not unpaid is refused. Then
you are asked, unless --yes says it; the orders are cancelled, at most 4 a
second, fetched again, and what the warehouse now says is shown. Who had what
cancelled, when, and the vendor's id of the request is kept in the table
cancellations.

The key needs the permission bss:CancelOrder beside those of a sync. A cancelled
order cannot be restored.`,
		Example: `  ordersync cancel 211059788270709
  ordersync cancel --unpaid-older-than 72h --dry-run
  ordersync cancel --unpaid-older-than 72h --yes --account main`,
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.file, "file", "", "read ids from this `file`; - is standard input")
	cmd.Flags().StringVar(&f.olderThan, "unpaid-older-than", "", "the stored unpaid orders of at least this `age`, such as 72h or 3d")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be cancelled, and stop")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON; needs --yes or --dry-run")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var given []orderID
		var age time.Duration
		var err error
		switch {
		case p.machine && !f.yes && !f.dryRun:
			err = errors.New("--json cannot ask: give --yes or --dry-run")
		case f.olderThan != "" && (len(args) > 0 || f.file != ""):
			err = errors.New("give ids or --unpaid-older-than, not both")
		case f.olderThan != "":
			var ok bool
			if age, ok = config.ParseDuration(f.olderThan); !ok || age <= 0 {
				err = fmt.Errorf("--unpaid-older-than: %q is not an age, such as 72h or 3d", f.olderThan)
			}
		case len(args) == 0 && f.file == "":
			err = errors.New("which orders? give their ids, --file or --unpaid-older-than")
		default:
			given, err = p.orderIDs(args, f.file)
		}
		if err != nil {
			return usage(cmd, err)
		}
		if !f.yes && !f.dryRun && (!isTerminal(p.in) || f.file == "-") {
			return usage(cmd, errors.New("there is nobody to ask: give --yes or --dry-run"))
		}
		return p.withStream(cmd, f.streamFlags, given, func(a *app.App, of schema.Stream, ids []string) error {
			return p.runCancel(cmd.Context(), a, of, ids, age, f)
		})
	}
	return cmd
}

// cancelled is an order and what became of it.
type cancelled struct {
	orderLine
	Outcome   string `json:"outcome"`
	RequestID string `json:"request_id,omitempty"`
}

// Outcomes beside those of schema.Cancellation.
const (
	outcomeWould  = "would be cancelled"
	outcomeUnpaid = "refused: not unpaid"
	outcomeBroken = "refused: its detail is unavailable"
	outcomeAbsent = "refused: not in the warehouse; `ordersync track` brings it there"
)

func (p *program) runCancel(ctx context.Context, a *app.App, of schema.Stream, ids []string, age time.Duration, f cancelFlags) error {
	now := time.Now().UTC()
	c := app.NewCanceller(a)
	if err := c.Able(of.Account); err != nil {
		return err
	}
	if age > 0 {
		stored, err := a.Warehouse().Unpaid(ctx, of, schema.MinTime, now.Add(-age))
		if err != nil {
			return err
		}
		for _, o := range stored {
			ids = append(ids, o.OrderID)
		}
	}
	orders, err := p.present(ctx, a, of, ids)
	if err != nil {
		return err
	}
	refused := 0
	var broken []orderLine
	for _, o := range orders {
		if o.Outcome != outcomeWould {
			refused++
		}
		if o.Outcome == outcomeBroken {
			broken = append(broken, o.orderLine)
		}
	}
	if !p.machine {
		p.cancelTable(orders, now)
	}
	due := len(orders) - refused
	failed := whyMissing(broken)
	if due > 0 && !f.dryRun {
		if !f.yes && !p.confirm(ctx, fmt.Sprintf("Cancel %s at the vendor? It cannot be undone.", plural(due, "order"))) {
			return stopped(ctx, errors.New("nothing was cancelled"))
		}
		failed = errors.Join(failed, p.cancelAll(ctx, c, of, orders))
		if !p.machine {
			p.cancelTable(orders, now)
		}
	}
	switch {
	case p.machine:
		p.json(map[string]any{"dry_run": f.dryRun, "orders": orders})
	case due == 0:
		fmt.Fprintln(p.out, "There is nothing to cancel.")
	}
	if refused > len(broken) && age == 0 { // of those that were selected by age, some being paid by now is what should be
		failed = errors.Join(failed, fmt.Errorf("%s: only unpaid orders can be cancelled", plural(refused-len(broken), "refusal")))
	}
	return stopped(ctx, failed)
}

// present fetches stored orders again and says which of them can be cancelled.
func (p *program) present(ctx context.Context, a *app.App, of schema.Stream, ids []string) ([]cancelled, error) {
	refs, err := a.Warehouse().Find(ctx, of, ids)
	if err != nil {
		return nil, err
	}
	if len(refs) > 0 {
		stored := make([]string, len(refs))
		for i, o := range refs {
			stored[i] = o.OrderID
		}
		progress := new(stream.Progress)
		stop := p.follow(ctx, ordersTask("look at", progress, a))
		summary, err := a.Fetch(ctx, time.Now().UTC(), of, stored, progress)
		stop()
		for _, l := range summary.Streams {
			err = errors.Join(err, l.Err)
		}
		if err != nil {
			return nil, fetchError(ctx, summary, err)
		}
	}
	lines, err := readOrders(ctx, a.Warehouse(), of, ids)
	orders := make([]cancelled, len(lines))
	for i, l := range lines {
		orders[i] = cancelled{orderLine: l, Outcome: outcomeWould}
		switch {
		case !l.Stored:
			orders[i].Outcome = outcomeAbsent
		case l.Error != "":
			orders[i].Outcome = outcomeBroken
		case !schema.IsUnpaid(l.PaymentStatus):
			orders[i].Outcome = outcomeUnpaid
		}
	}
	return orders, err
}

// cancelAll cancels what can be cancelled, one after the other: an order that cannot be cancelled keeps none of the
// others from it.
func (p *program) cancelAll(ctx context.Context, c *app.Canceller, of schema.Stream, orders []cancelled) error {
	by := operator()
	var errs []error
	for i := range orders {
		o := &orders[i]
		if o.Outcome != outcomeWould || ctx.Err() != nil {
			continue
		}
		k, err := c.Cancel(ctx, of, o.OrderID, by)
		o.Outcome, o.RequestID = k.Outcome, k.RequestID
		if k.PaymentStatus != "" {
			o.PaymentStatus = k.PaymentStatus
		}
		if k.Error != "" {
			o.Error = k.Error
			err = errors.Join(fmt.Errorf("order %s: %s: %s", o.OrderID, k.Outcome, k.Error), err)
		}
		errs = append(errs, err)
		if !isTerminal(p.err) {
			continue
		}
		fmt.Fprintf(p.console, "%s: %s\n", printable(o.OrderID), k.Outcome)
	}
	return errors.Join(errs...)
}

func (p *program) cancelTable(orders []cancelled, now time.Time) {
	if len(orders) == 0 {
		return
	}
	lines := make([]orderLine, len(orders))
	outcome := map[string]string{}
	for i, o := range orders {
		lines[i] = o.orderLine
		outcome[o.OrderID] = o.Outcome
		if o.RequestID != "" {
			outcome[o.OrderID] += " (request " + o.RequestID + ")"
		}
	}
	p.ordersTable(lines, now, "outcome", func(l orderLine) string { return outcome[l.OrderID] })
}
