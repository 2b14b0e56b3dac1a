package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
)

// questions of the demo, as an analyst would ask them: the views are right without anybody knowing how.
var questions = []struct{ title, sql string }{
	{"What was spent, by month and product?", `SELECT month, product_code, currency,
       uniqExact(order_id) AS orders, sum(net) AS spent
FROM spend
WHERE kind IN ('paid', 'refund')
GROUP BY ALL
ORDER BY month, spent DESC
LIMIT 4 BY month`},
	{"What became of the orders?", `SELECT if(payment_state = 'none', '(refund)', payment_state) AS status, currency,
       count() AS orders, sum(pretax_amount) AS amount
FROM orders
GROUP BY ALL
ORDER BY orders DESC`},
	{"Who ordered most?", `SELECT if(operator = '', '(the account itself)', operator) AS operator, currency,
       uniqExact(order_id) AS orders, count() AS items, sum(net) AS spent
FROM spend
WHERE kind IN ('paid', 'refund')
GROUP BY ALL
ORDER BY orders DESC
LIMIT 5`},
	{"What moved in the closed month since it was closed?", `SELECT order_id, change, currency, old_net, net, difference
FROM changes_since_close
ORDER BY order_id`},
	{"Is anything missing? (the ledger, one row a window of an hour)", `SELECT verdict, count() AS windows, min(window_start) AS first, max(window_end) AS last,
       sum(listed) AS orders_listed, sum(stored) AS orders_stored, sum(rejected) AS rejected
FROM sync_windows
GROUP BY verdict
ORDER BY verdict`},
	{"Does every window still hold exactly what was recorded?", `SELECT count() AS windows, countIf(agrees) AS agree FROM window_audit`},
}

// questions asks them and shows the SQL.
func (d *demo) questions(ctx context.Context, a *app.App) error {
	s, err := d.session(ctx, a.Warehouse(), false)
	if err != nil {
		return err
	}
	for _, q := range questions {
		fmt.Fprintf(d.out, "\n%s\n\n    %s\n\n", q.title, strings.ReplaceAll(q.sql, "\n", "\n    "))
		if err := s.runAll(ctx, []statement{{text: q.sql}}); err != nil {
			return err
		}
	}
	return nil
}

// compare compares the copy with the truth: counts, exact sums of every amount, and a digest over all ids.
func (d *demo) compare(ctx context.Context, a *app.App) error {
	from := d.account.Options().From
	truth := d.account.Truth(from, d.now)
	copied, err := compare.Read(ctx, a.Warehouse().Conn(), demoAccount, from, d.now)
	if err != nil {
		return err
	}
	return d.verdict(truth, copied)
}

// verdict prints both sides; a difference is an error.
func (p *program) verdict(truth, copied simulator.Truth) error {
	rows := [][]any{{"", "invented", "in ClickHouse", ""}}
	different := 0
	for _, m := range compare.Measures(copied, truth) {
		text := "equal"
		if !m.Equal() {
			text = "DIFFERENT"
			different++
		}
		rows = append(rows, []any{m.Name, measure(m.Truth), measure(m.Got), text})
	}
	fmt.Fprint(p.out, "\nIs the copy exact? What the simulator invented, against what ClickHouse holds:\n\n")
	p.table(rows)
	if different > 0 {
		return fmt.Errorf("the copy differs from the truth in %s: this is a bug in ordersync", plural(different, "number"))
	}
	fmt.Fprintln(p.out, "All equal, to the last digit.")
	return nil
}

// measure writes a number of a truth as people read it.
func measure(v any) string {
	if n, ok := v.(int); ok {
		return count(n)
	}
	return fmt.Sprint(v)
}
