package cli

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
)

func (p *program) run() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Keep the warehouse up to date: the daemon",
		Long: `Keep the warehouse up to date until told to stop.

It catches up at once, from what the ledger says, and then works by the
schedule. Once a day it verifies the whole copy, which costs a call for each
quarter of a year that agrees. SIGTERM or Ctrl-C commits the batch in hand and ends; a second one
ends at once. Metrics and health are served on http.listen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load()
			if err != nil {
				return err
			}
			if err := cfg.RequireAccounts(); err != nil {
				return err
			}
			d := p.download()
			defer d.close()
			a, err := app.New(app.Options{Config: cfg, Log: p.logger(cfg.Log, slog.LevelDebug), Progress: d.progress, FlushEvery: flushEvery})
			if err != nil {
				return err
			}
			return a.Run(cmd.Context())
		},
	}
}
