package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

func (p *program) demo() *cobra.Command {
	s := simulation{source: simulator.VendorBSS, list: liftedQuota, detail: liftedQuota}
	var serve bool
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it all work, with nothing to set up",
		Long: `See it all work, with nothing to set up: an invented account, served by a
simulator of the vendor's API, is copied into a ClickHouse that runs inside
this program, by the code that copies a real one. Then a few questions are
asked in SQL, and the copy is compared with what was invented.

The ClickHouse engine is downloaded once. The data is thrown away at the end,
unless --dir keeps it or --serve stays up to look around, while customers go on
ordering.`,
		Args: cobra.NoArgs,
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&serve, "serve", false, "stay up afterwards, with the daemon running, until Ctrl-C")
	cmd.Flags().StringVar(&dir, "dir", "", "keep the data in this `folder`, which must be new or empty")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		now := time.Now().UTC()
		account, err := s.account(now)
		if err != nil {
			return usage(cmd, err)
		}
		kept := dir != ""
		if !kept {
			if dir, err = os.MkdirTemp("", "ordersync-demo-"); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		}
		if err := emptyFolder(dir); err != nil {
			return usage(cmd, err)
		}
		d := &demo{program: p, account: account, now: now, dir: dir, serve: serve, kept: kept}
		return d.run(cmd.Context())
	}
	return cmd
}

// emptyFolder makes a folder, or makes sure that there is nothing in it: other orders are invented at another time, and
// a comparison with both would fail.
func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("--dir %s is not empty: name a new folder", dir)
	}
	return nil
}

// demo is one run of the demo.
type demo struct {
	*program
	account *simulator.Account
	now     time.Time
	cfg     *config.Config
	dir     string // for the warehouse and a configuration
	kept    bool   // after the end
	serve   bool
}

func (d *demo) run(ctx context.Context) (err error) {
	o := d.account.Options()
	fmt.Fprintf(d.out, "Inventing an account with %s of %s to %s, behind a simulator of the vendor's API.\n",
		plural(d.account.Len(), "order"), o.From.Format(time.DateOnly), o.To.Format(time.DateOnly))
	server := simulator.New(d.account)
	if err := server.Start("127.0.0.1:0"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if d.cfg, err = d.configure(server.URL()); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "Starting ClickHouse inside this program.")
	return d.withApp(ctx, app.Options{Config: d.cfg}, func(a *app.App) error {
		for _, part := range []func(context.Context, *app.App) error{d.copy, d.closeBooks, d.again, d.questions, d.compare, d.lookFurther} {
			if err := part(ctx, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// configure writes the configuration that a person would have written, so that the other verbs work on the demo too.
func (d *demo) configure(endpoint string) (*config.Config, error) {
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return nil, err
	}
	d.dir = dir
	text := fmt.Sprintf(`# Written by ordersync demo.
accounts:
  - name: %s
    source: bss
    endpoint: %q
    credentials: {access_key_id: %q, access_key_secret: %q}
    quota: {list: %d, detail: %d}
clickhouse: {embedded: %q}
schedule: {cron: "@every 15s"}
http: {listen: "127.0.0.1:0"}
log: {level: warn}
`, demoAccount, endpoint, d.account.AccessKeyID(), d.account.AccessKeySecret(), liftedQuota, liftedQuota, filepath.Join(dir, "warehouse"))
	if err := os.WriteFile(d.configFile(), []byte(text), 0o600); err != nil {
		return nil, err
	}
	return config.Parse(d.configFile(), []byte(text), nil)
}

// demoAccount names the demo's account.
const demoAccount = "demo"

func (d *demo) configFile() string { return filepath.Join(d.dir, config.DefaultFile) }

// copy is the main job: one backfill.
func (d *demo) copy(ctx context.Context, a *app.App) error {
	fmt.Fprintln(d.out, "Copying: list the windows, fetch every order's detail, write orders and line items.")
	start := time.Now()
	l, err := d.fill(ctx, a, d.first(a), false)
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Fprintf(d.out, "Copied %s with %s in %s, by %s.\n",
		plural(l.Listed, "order"), plural(l.Items, "line item"), span(took), plural(a.Calls(), "call"))
	const realQuota = 10
	fmt.Fprintf(d.out, "(A real account is answered %d details a second, so the same would take it %s: one call an order.\n"+
		"The demo's vendor has no such limit. Once copied, orders that did not change cost no call.)\n",
		realQuota, span(time.Duration(l.Details)*time.Second/realQuota))
	return nil
}

// fill copies what was created from a time until now.
func (d *demo) fill(ctx context.Context, a *app.App, from time.Time, force bool) (stream.Outcome, error) {
	summary, _, err := d.backfillWith(ctx, a, d.now, window.Interval{Start: from, End: d.now}, force)
	if wasInterrupted(ctx) {
		return stream.Outcome{}, context.Cause(ctx)
	}
	if err := backfillError(ctx, summary, err); err != nil {
		return stream.Outcome{}, err
	}
	return summary.Streams[0], nil
}

// lastMonth is the first day of the month before the current one. The reporting zone of a demo is UTC.
func (d *demo) lastMonth() time.Time {
	return time.Date(d.now.Year(), d.now.Month()-1, 1, 0, 0, 0, 0, time.UTC)
}

// first is when the copy begins: with the first order, and the last month is whole where there are orders of it.
func (d *demo) first(a *app.App) time.Time {
	from := d.account.Options().From
	if month := a.Warehouse().Month(d.lastMonth()); from.Before(month.End) && month.Start.Before(from) {
		return month.Start
	}
	return from
}

// closeBooks closes the last month. Then the vendor corrects one of its orders, as vendors do.
func (d *demo) closeBooks(ctx context.Context, a *app.App) error {
	month := d.lastMonth()
	in := a.Warehouse().Month(month)
	ids := d.account.IDs(in.Start, in.End)
	if len(ids) == 0 {
		return nil
	}
	if _, err := a.Warehouse().CloseMonth(ctx, d.cfg, month, operator(), func(sink.Run) {}); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "Closed the books of %s, as ordersync close does. Then one order of that month changed, as vendors will have it.\n", month.Format("January 2006"))
	for _, id := range ids {
		if o, _ := d.account.Order(id); o.PaymentStatus == "Paid" && o.Items[0].Pretax.Decimal.IsPositive() && d.account.Change(id) == nil {
			return nil
		}
	}
	return nil
}

// again lets customers order, pay, cancel and give back, and copies what came of it: what changed is kept with what it was before.
func (d *demo) again(ctx context.Context, a *app.App) error {
	l := d.living()
	var came, settled, changed int
	for range 20 {
		c := l.Step(time.Now())
		came, settled, changed = came+len(c.Added), settled+len(c.Paid)+len(c.Cancelled), changed+len(c.Changed)+len(c.Dropped)
	}
	before, from := a.Calls(), d.first(a)
	d.now = time.Now().UTC()
	if _, err := d.fill(ctx, a, from, true); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "Then %s came, and others changed (paid or cancelled: %d, else: %d): listed all of it again, by %s.\n",
		plural(came, "order"), settled, changed, plural(a.Calls()-before, "call"))
	return nil
}

// living is the vendor that lives, as far as a listing shows it.
func (d *demo) living() *simulator.Living {
	l := simulator.NewLiving(d.account, d.account.Options().Seed)
	l.Waiting = 5
	return l
}

// live lets customers order, pay, cancel and give back, and the vendor deliver, while somebody looks. The slowest product is
// delivered after minutes, not hours as at a real vendor, so that one sees it.
func (d *demo) live(ctx context.Context) {
	l := d.living()
	l.Delivery, l.Details, l.Past = 5*time.Minute, true, true
	l.Run(ctx, 5*time.Second)
}

// lookFurther says how to go on, and stays up if asked to.
func (d *demo) lookFurther(ctx context.Context, a *app.App) error {
	self := "ordersync"
	if !d.serve {
		fmt.Fprintln(d.out, "\nTo look around in this data: ordersync demo --serve")
		if d.kept {
			fmt.Fprintf(d.out, "The data is kept: %s sql -c %s \"SELECT * FROM orders LIMIT 3\"\n", self, d.configFile())
		}
		fmt.Fprintln(d.out, "For your own account:        ordersync init")
		return nil
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var living sync.WaitGroup
	living.Go(func() { d.live(ctx) })
	defer living.Wait()
	defer stop()
	native, url := a.Warehouse().Addresses()
	fmt.Fprintf(d.out, `
Serving until Ctrl-C, of a vendor that lives: orders come, are paid, delivered, cancelled and refunded. Look around, in another terminal or a browser:
  SQL in the browser   %s/play?user=reader  (SELECT * FROM ordersync.orders; the password is below)
  SQL in a terminal    %s sql -c %s "SELECT * FROM orders LIMIT 3"
  ClickHouse tools     %[2]s sql -c %[3]s --login  says how they log in (native protocol on %[4]s)
  status and metrics   %[5]s
`, url, self, d.configFile(), native, a.URL())
	if err := d.out.failed(); err != nil { // nobody knows how to reach it
		return err
	}
	<-ctx.Done()
	return nil
}
