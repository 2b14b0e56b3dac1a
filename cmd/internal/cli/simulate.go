package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/sync/simulator"
)

// simulation says what to invent.
type simulation struct {
	source       string
	orders, days int
	seed         uint64
	list, detail float64
}

func (s *simulation) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&s.orders, "orders", 20_000, "how many orders to invent")
	cmd.Flags().IntVar(&s.days, "days", 90, "over how many days they are spread")
	cmd.Flags().Uint64Var(&s.seed, "seed", 1, "another seed invents other orders")
}

// account invents the orders of the days before now.
func (s *simulation) account(now time.Time) (*simulator.Account, error) {
	const mostPerDay = 1_000_000
	if s.days < 1 || s.days > 3650 {
		return nil, fmt.Errorf("--days %d is not from 1 to 3650", s.days)
	}
	if s.orders < 0 || s.orders > s.days*mostPerDay {
		return nil, fmt.Errorf("--orders %d is not from 0 to %d a day", s.orders, mostPerDay)
	}
	if s.list < 0 || s.detail < 0 {
		return nil, fmt.Errorf("a quota is not negative")
	}
	if sources := []string{simulator.VendorBSS, simulator.VendorUniCloud, simulator.VendorDomain}; !slices.Contains(sources, s.source) {
		return nil, fmt.Errorf("--source %s is not one of %s", s.source, strings.Join(sources, ", "))
	}
	to := now.UTC().Truncate(time.Second)
	return simulator.NewAccount(simulator.Options{
		Seed: s.seed, Orders: s.orders, From: to.Truncate(time.Hour).AddDate(0, 0, -s.days), To: to,
		Quota: simulator.Quota{List: s.list, Detail: s.detail}, Vendor: s.source,
	}), nil
}

func (p *program) simulate() *cobra.Command {
	var s simulation
	var listen string
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Serve a simulated vendor alone",
		Long: `Serve a vendor's order API over an invented account, on the real wire protocol:
signatures are checked and the quota is enforced. It prints what to put into
ordersync.yaml, and serves until Ctrl-C.`,
		Args: cobra.NoArgs,
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&s.source, "source", simulator.VendorBSS, "whose API: bss, unicloud or domain")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "`host:port`; port 0 takes a free one")
	cmd.Flags().Float64Var(&s.list, "quota-list", 10, "list calls a second, as the vendor has it; 0 lifts the quota")
	cmd.Flags().Float64Var(&s.detail, "quota-detail", 10, "detail calls a second; 0 lifts the quota")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		account, err := s.account(time.Now())
		if err != nil {
			return usage(cmd, err)
		}
		server := simulator.New(account)
		if err := server.Start(listen); err != nil {
			return err
		}
		fmt.Fprintf(p.out, `serving %s on %s until Ctrl-C

access key id      %s
access key secret  %s

ordersync.yaml:

accounts:
  - name: simulated
    source: %s
    endpoint: %s
    credentials:
      access_key_id: %s
      access_key_secret: %s
    quota: {list: %g, detail: %g}
`, plural(account.Len(), "generated order"), server.URL(), account.AccessKeyID(), account.AccessKeySecret(),
			s.source, server.URL(), account.AccessKeyID(), account.AccessKeySecret(), lifted(s.list), lifted(s.detail))
		if s.source == simulator.VendorDomain {
			ids := account.IDs(time.Time{}, time.Time{})
			fmt.Fprintf(p.out, "\nThis API has no list. Some of the orders: ordersync track %s\n", strings.Join(ids[:min(len(ids), 5)], " "))
		}
		if err := p.out.failed(); err != nil { // nobody knows how to reach it
			return errors.Join(err, server.Close())
		}
		<-cmd.Context().Done()
		return server.Close()
	}
	return cmd
}

// liftedQuota stands for no quota in a client's configuration, which must have one: more than a machine can use, and
// still few enough calls in flight.
const liftedQuota = 5000

// lifted is the client's quota for a simulator's, where 0 means none.
func lifted(quota float64) float64 {
	if quota == 0 {
		return liftedQuota
	}
	return quota
}
