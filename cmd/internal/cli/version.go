package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
)

func (p *program) version() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say what this program was built from",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p.report(app.Build(), func() { fmt.Fprintln(p.out, app.Build()) })
			return nil
		},
	}
	cmd.Flags().BoolVar(&p.machine, "json", false, "print it as JSON")
	return cmd
}
