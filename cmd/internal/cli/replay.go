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
	"github.com/ordersync/ordersync/sync/window"
)

func (p *program) replay() *cobra.Command {
	var f rangeFlags
	cmd := &cobra.Command{
		Use:   "replay [--from TIME] [--to TIME]",
		Short: "Make the tables again from the stored payloads, without any call",
		Long: `Make every row again from the payload that it was made of, and a row of each
reject that can be read by now. Rows that come out as they are stored are not
written. It is for after an upgrade that reads a field better than before.

It calls no vendor and needs no credentials. Without --from and --to it takes
all that the ledger of each account covers.

An order that was a reject has no line items yet: the next run of the daemon,
or a backfill, fetches them.`,
		Example: `  ordersync replay
  ordersync replay --from 2024-01-01 --to 2024-02-01 --account main`,
		Args: cobra.NoArgs,
	}
	f.add(cmd, " (default: where the ledger begins)", " (default: where the ledger ends)")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		now, r, cfg, err := f.read(cmd, p.loadOffline)
		if err != nil {
			return err
		}
		return p.runReplay(cmd.Context(), cfg, now, r)
	}
	return cmd
}

// replayAccount is what replay reports of an account.
type replayAccount struct {
	schema.Stream
	Changed int    `json:"changed"` // orders written
	Items   int    `json:"items"`
	Pending int    `json:"pending"` // orders that were rejects and have no items yet
	Error   string `json:"error,omitempty"`
}

func (p *program) runReplay(ctx context.Context, cfg *config.Config, now time.Time, r window.Interval) error {
	return p.withApp(ctx, app.Options{Config: cfg, Offline: true}, func(a *app.App) error {
		progress := new(stream.Progress)
		stop := p.follow(ctx, &task{verb: "replay", commits: true, state: func() state { return windowsOf(progress, "span") }})
		summary, err := a.Replay(ctx, now, r.Start, r.End, progress)
		stop()
		err = errors.Join(err, summary.Err())
		accounts := []replayAccount{}
		for _, l := range summary.Streams {
			accounts = append(accounts, replayAccount{l.Stream, l.Changed, l.Items, l.Pending, errorText(l.Err)})
		}
		p.report(map[string]any{"seconds": time.Since(now).Seconds(), "accounts": accounts, "error": errorText(err)}, func() {
			rows := [][]any{{"account", "orders rewritten", "items rewritten", "without items yet"}}
			for _, l := range accounts {
				rows = append(rows, []any{l.Stream, l.Changed, l.Items, l.Pending})
			}
			p.table(rows)
			fmt.Fprintf(p.out, "in %s, without a call\n", span(time.Since(now)))
		})
		return stopped(ctx, err)
	})
}
