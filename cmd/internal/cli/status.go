package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
)

func (p *program) status() *cobra.Command {
	var from, account string
	var days int
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show coverage, lag, runs and problems, from the ledger",
		Long: `Show how everything stands: which hours of each account are covered and how
well, how far behind it is, what runs and what ran, what is wrong, and what was
ordered.

It makes no call to a vendor, and works while the daemon runs. The exit code is 1
when something is behind or has failed. The daemon shows the same on its status
page, and --json prints what its /api/status returns.`,
		Example: `  ordersync status
  ordersync status --days 35
  ordersync status --from 2024-01-01 --days 31 --account main`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the status as JSON")
	cmd.Flags().IntVar(&days, "days", 0, fmt.Sprintf("show the coverage of so many `days`, %d at most (default: %d, with --json %d)",
		status.MaxDays, terminalDays, status.DefaultDays))
	cmd.Flags().StringVar(&from, "from", "", "begin the coverage at the day of this `time`: "+timeHelp+" (default: the days up to today)")
	cmd.Flags().StringVar(&account, "account", "", "show the coverage of this account only; its `name`, or account/owner")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		now := time.Now().UTC()
		q := status.Query{Days: days, Stream: account}
		if cmd.Flags().Changed("days") && (days < 1 || days > status.MaxDays) {
			return usage(cmd, fmt.Errorf("--days %d is not from 1 to %d", days, status.MaxDays))
		}
		if days == 0 && !p.machine {
			q.Days = terminalDays
		}
		r, err := parseRange(from, "", now)
		if err != nil {
			return usage(cmd, err)
		}
		q.From = r.Start
		return p.withWarehouse(cmd.Context(), p.loadForReading, app.WarehouseOptions{ReadOnly: true}, func(cfg *config.Config, w *app.Warehouse) error {
			report, err := status.Build(cmd.Context(), cfg.Schedule, app.Streams(cfg), w.Sink, now, q)
			if unknown := (*status.StreamError)(nil); errors.As(err, &unknown) {
				return usage(cmd, fmt.Errorf("--account: %w", err))
			}
			if err != nil {
				return err
			}
			report.Version = app.Build().Version
			p.report(report, func() { p.statusText(report, account) })
			if !report.OK {
				return &exitError{code: exitFailure}
			}
			return nil
		})
	}
	return cmd
}
