package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
)

func (p *program) products() *cobra.Command {
	var f rangeFlags // without a range
	cmd := &cobra.Command{
		Use:   "products",
		Short: "Refresh the product names",
		Long: `Ask each account's vendor for the names of its products (QueryProductList) and
store them in the table products. It costs two calls an account. The daemon does
it once a day. Sources without such a list are left out.`,
		Example: `  ordersync products
  ordersync sql "SELECT * FROM products WHERE product_code = 'rds'"`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&f.account, "account", "", "only the account of this `name`")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		start := time.Now()
		_, _, cfg, err := f.read(cmd, p.load)
		if err != nil {
			return err
		}
		return p.withApp(cmd.Context(), app.Options{Config: cfg}, func(a *app.App) error {
			stop := p.follow(cmd.Context(), &task{verb: "products", state: func() state { return state{counts: calls(a)} }})
			found := a.Products(cmd.Context())
			stop()
			p.showProducts(found, time.Since(start))
			var errs []error
			for _, n := range found {
				errs = append(errs, n.Err)
			}
			return stopped(cmd.Context(), errors.Join(errs...))
		})
	}
	return cmd
}

// productNames is what products reports of an account.
type productNames struct {
	app.ProductNames
	Error string `json:"error,omitempty"`
}

func (p *program) showProducts(found []app.ProductNames, took time.Duration) {
	accounts := []productNames{}
	for _, n := range found {
		accounts = append(accounts, productNames{n, errorText(n.Err)})
	}
	p.report(map[string]any{"seconds": took.Seconds(), "accounts": accounts}, func() {
		for _, n := range accounts {
			switch {
			case !n.Known:
				fmt.Fprintf(p.out, "%s: its source has no list of products\n", n.Account)
			case n.Error == "":
				fmt.Fprintf(p.out, "%s: %s\n", n.Account, plural(n.Names, "product name"))
			}
		}
	})
}
