package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
)

func (p *program) migrate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make the tables and views of ClickHouse, or bring them up to date",
		Long: `Make the database with its tables and views where they are missing, and bring
them up to date where an older ordersync made them; 'ordersync check' says
what this would do. Every verb that writes does it too, so it is needed only
for a user who may create tables on behalf of one who may not, or where verbs
that only read (status, sql, rejects) find tables that are missing or old.

After a change of reporting.timezone it is needed: it makes the views anew for
the zone, which the other verbs refuse to do to a warehouse that others use. Where
reporting.refresh is not set any more, it drops spend_stored.

It never drops or replaces what ordersync did not make: where something else
has the name of one of its tables or views, it names it and changes nothing.`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withWarehouse(cmd.Context(), p.loadOffline, app.WarehouseOptions{Reconfigure: true}, func(cfg *config.Config, w *app.Warehouse) error {
			if made := w.Made(); made.Empty() {
				fmt.Fprintf(p.out, "The tables of database %s are up to date.\n", cfg.ClickHouse.Database)
			} else {
				fmt.Fprintf(p.out, "Database %s is up to date now. What was done: %s.\n", cfg.ClickHouse.Database, made)
			}
			return nil
		})
	}
	return cmd
}
