package cli

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

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
ends at once. SIGHUP reads the configuration again: accounts and schedule change
without a restart, and a configuration that is wrong is refused while the one
before goes on. Metrics and health are served on http.listen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			again := make(chan os.Signal, 1) // from here on it does not end the program
			signal.Notify(again, syscall.SIGHUP)
			defer signal.Stop(again)
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
			return a.RunReloading(cmd.Context(), again, p.load)
		},
	}
}
