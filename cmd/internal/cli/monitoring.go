package cli

import (
	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/monitoring"
)

func (p *program) monitoring() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "monitoring",
		Short: "Print Grafana dashboards or Prometheus alerting rules",
		Long: `Print a Grafana dashboard or Prometheus alerting rules for the metrics that
'ordersync run' serves on /metrics, or a Grafana dashboard of what was ordered, by
SQL. All can be used as they are.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, file := range []struct {
		use, short, long string
		content          []byte
	}{
		{"dashboard", "Print the Grafana dashboard, as JSON",
			`Print the Grafana dashboard. Import it under Dashboards, New, Import, or put it
into a folder that Grafana is provisioned from; the data source is chosen on it.

  ordersync monitoring dashboard > ordersync.json`, monitoring.Dashboard},
		{"business", "Print the Grafana dashboard of what was ordered, as JSON",
			`Print the Grafana dashboard of spend, renewals, unpaid orders, operators and
resources. It asks the warehouse by the data source ClickHouse, which
'ordersync sql --login' says how to set up. Import it as the other one.

  ordersync monitoring business > ordersync-business.json`, monitoring.Business},
		{"rules", "Print the Prometheus alerting rules, as YAML",
			`Print the Prometheus alerting rules. Each says in its annotations what it means
and what to do.

  ordersync monitoring rules > /etc/prometheus/ordersync.rules.yaml

and name the file in prometheus.yml, under rule_files.`, monitoring.Rules},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: file.use, Short: file.short, Long: file.long, Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := p.out.data().Write(file.content)
				return err
			},
		})
	}
	return cmd
}
