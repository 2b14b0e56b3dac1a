package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/notify"
)

func (p *program) notify() *cobra.Command {
	var test bool
	cmd := &cobra.Command{
		Use:   "notify --test",
		Short: "Send a test message to where the daemon tells of what is wrong",
		Long: `Send a test message to the address of notify.url, in the format and with the
signature that the configuration names, and say what was answered. The daemon
posts there when the diagnosis of an account changes.`,
		Example: "  ordersync notify --test",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&test, "test", false, "send a test message")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !test {
			return usage(cmd, errors.New("--test is required: the daemon sends all else"))
		}
		cfg, err := p.loadOffline()
		if err != nil {
			return err
		}
		if cfg.Notify.URL == "" {
			return usage(cmd, errors.New("notify.url is not set: the configuration names nobody to be told"))
		}
		n := notify.New(cfg.Notify)
		defer n.Close()
		m := notify.NewMessage("test", 1, 1, "", diagnosis.Diagnosis{State: diagnosis.OK, Says: "this is a test", Symptoms: []string{}}, time.Now())
		m.Text = "ordersync: this is a test. When something is wrong with an account, it is told here."
		if err := n.Post(cmd.Context(), m); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "The message was taken, in the format %s.\n", cfg.Notify.Format)
		return nil
	}
	return cmd
}
