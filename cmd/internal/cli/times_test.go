package cli_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// A range in which there can be no orders is refused by every verb that takes one, before anything is planned or called.
func TestRangesWithoutOrders(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 10})
	w.configure()
	later := time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly) // midnight of tomorrow may be the end of the open hour
	for _, verb := range []string{"backfill", "plan", "verify", "replay"} {
		for _, c := range []struct {
			args []string
			says string
		}{
			{[]string{"--from", "0000-01-01"}, "before 2000-01-01"},
			{[]string{"--from", "1999-12-31T23:59:59Z"}, "before 2000-01-01"},
			{[]string{"--from=-65535d"}, "before 2000-01-01"},
			{[]string{"--from", "9999-01-01"}, "not before now"},
			{[]string{"--from", "-1d", "--to", later}, "in the future"},
			{[]string{"--from", "-1d", "--to", "9999-12-31"}, "in the future"},
			{[]string{"--from", "-1d", "--to", "1970-01-01"}, "before 2000-01-01"},
			{[]string{"--from", "-1d", "--to", "-2d"}, "is not before --to"},
		} {
			contains(t, w.run(2, append([]string{verb}, c.args...)...).err, c.says)
		}
	}
	contains(t, w.run(2, "status", "--from", "0000-01-01").err, "before 2000-01-01")
	if calls := w.account.Calls()["QueryOrders"].Total; calls > 0 {
		t.Errorf("%d calls were made", calls)
	}
	w.run(0, "backfill", "--from", "-1d", "--to", time.Now().UTC().Truncate(time.Hour).Add(time.Hour).Format(time.RFC3339))
}

// A number of products that is smaller than the list does not end it.
func TestProductsCountedTooFew(t *testing.T) {
	t.Parallel()
	for _, total := range []int{0, 100, 300} {
		w := newWorldWith(t, simulator.Options{Orders: 10})
		w.configure()
		w.account.SetFault(func(simulator.FaultRequest) simulator.Action {
			return simulator.Action{Total: func(int) int { return total }}
		})
		contains(t, w.run(0, "products").out, "449")
		if calls := w.account.Calls()["QueryProductList"].Total; calls != 2 {
			t.Errorf("%d calls", calls)
		}
	}
}

// Where the vendor refuses the page after a full last one, there is none.
func TestProductsEndWithAFullPage(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 10})
	w.configure()
	for total, code := range map[int]int{300: 0, 301: 1} {
		w.account.SetFault(func(f simulator.FaultRequest) simulator.Action {
			if f.Page > 1 {
				return simulator.Action{Error: &simulator.Error{Status: 400, Code: "InvalidParameter"}}
			}
			return simulator.Action{Total: func(int) int { return total }}
		})
		w.run(code, "products")
	}
}

// A list of products that has no end ends with an error, and soon.
func TestProductsWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 10})
	w.configure()
	var last []byte // that is repeated for ever
	w.account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		return simulator.Action{
			Total: func(int) int { return 1_000_000 },
			Rewrite: func(body []byte) []byte {
				if r.Page <= 2 {
					last = bytes.Clone(body)
				}
				return bytes.Clone(last)
			},
		}
	})
	contains(t, w.run(1, "products").err, "names 1,000,000 products and shows 449 of them", "run `ordersync products` again")
	if calls := w.account.Calls()["QueryProductList"].Total; calls > 3 {
		t.Errorf("%d calls", calls)
	}
}
