package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
)

// streamFlags name a stream.
type streamFlags struct{ account, owner string }

func (f *streamFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.account, "account", "", "the account of this `name`; needed where there are several")
	cmd.Flags().StringVar(&f.owner, "owner", "", "the customer or member account of this `id`, instead of the account's own orders")
}

func (p *program) track() *cobra.Command {
	var where streamFlags
	var file string
	cmd := &cobra.Command{
		Use:   "track [ID…]",
		Short: "Fetch orders by their ids and keep them fresh",
		Long: `Fetch orders by their ids, store them, and have the daemon keep them fresh until
they are settled, that is, not unpaid any more. It is the way to the orders of a
source that cannot list them (domain), and works for the other sources too.

Ids come from the arguments, from a file (--file), or from standard input. An
order that is unavailable becomes a reject: the daemon tries it again ever more
rarely, until it is there or ` + "`ordersync rejects accept`" + ` ends that.`,
		Example: `  ordersync track --account domains D201600000000000
  ordersync track --account domains --file ids.txt`,
	}
	where.add(cmd)
	cmd.Flags().StringVar(&file, "file", "", "read ids from this `file`; - is standard input")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := p.orderIDs(args, file)
		if err != nil {
			return usage(cmd, err)
		}
		return p.withStream(cmd, where, given, func(a *app.App, of schema.Stream, ids []string) error {
			return p.runTrack(cmd.Context(), a, of, ids)
		})
	}
	return cmd
}

// withStream does something with one stream of an open app, and with orders of it.
func (p *program) withStream(cmd *cobra.Command, f streamFlags, given []orderID, do func(*app.App, schema.Stream, []string) error) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if err := cfg.RequireAccounts(); err != nil {
		return err
	}
	return p.withApp(cmd.Context(), app.Options{Config: cfg}, func(a *app.App) error {
		of, err := a.Stream(f.account, f.owner)
		if err != nil {
			return usage(cmd, err)
		}
		ids, err := orderIDsOf(of, given)
		if err != nil {
			return usage(cmd, err)
		}
		return do(a, of, ids)
	})
}

func (p *program) runTrack(ctx context.Context, a *app.App, of schema.Stream, ids []string) error {
	now := time.Now().UTC()
	progress := new(stream.Progress)
	stop := p.follow(ctx, ordersTask("track", progress, a))
	summary, err := a.Track(ctx, now, of, ids, operator(), progress)
	stop()
	lines, readErr := readOrders(context.WithoutCancel(ctx), a.Warehouse(), of, ids)
	if readErr == nil {
		p.report(map[string]any{"seconds": time.Since(now).Seconds(), "orders": lines}, func() { p.ordersTable(lines, now, "kept", kept) })
	}
	return errors.Join(fetchError(ctx, summary, err), whyMissing(lines), readErr)
}

// kept says until when an order is kept fresh.
func kept(l orderLine) string {
	switch {
	case l.Error != "":
		return printable(l.Error)
	case !l.Stored:
		return "not fetched"
	case schema.IsUnpaid(l.PaymentStatus):
		return "until it is settled"
	}
	return "settled"
}
