package cli_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/ordersync/ordersync/sync/simulator"
)

type orderLines struct {
	Orders []struct {
		OrderID       string `json:"order_id"`
		Stored        bool   `json:"stored"`
		PaymentStatus string `json:"payment_status"`
		Outcome       string `json:"outcome"`
		RequestID     string `json:"request_id"`
		Error         string `json:"error"`
	} `json:"orders"`
}

// Orders that cannot be listed come by their ids: from arguments, a file and standard input.
func TestTrackFetchesOrdersByTheirIDs(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 12, Vendor: simulator.VendorDomain})
	w.configure("source: bss", "source: domain")
	ids := w.account.IDs(time.Time{}, time.Time{})
	w.write("ids.txt", "# a comment\n"+ids[1]+", "+ids[2]+"\n\n"+ids[3]+" # the last\n")

	contains(t, w.run(2, "track", "--account", "nobody", ids[0]).err, "there is no account", "main")
	contains(t, w.run(2, "track", "").err, "is not an order id")
	contains(t, w.run(0, "track", ids[0]).out, ids[0], "main")
	w.run(0, "track", "--file", "ids.txt")
	if r := w.runWith(strings.Join(ids[4:], "\n"), "track", "--json"); r.code != 0 {
		t.Fatalf("%d: %s", r.code, r.err)
	} else if got := decode[orderLines](t, r.out); len(got.Orders) != len(ids)-4 || !got.Orders[0].Stored {
		t.Errorf("%+v", got)
	}
	got := w.run(0, "sql", "--format", "csv", "SELECT count(), (SELECT count() FROM order_items), (SELECT count() FROM tracked_orders) FROM orders").out
	if truth := w.account.Truth(time.Time{}, time.Time{}); !strings.Contains(got, strings.Join([]string{"12", strconv.Itoa(truth.Items), "12"}, ",")) {
		t.Errorf("%d orders with %d items are %s", truth.Orders, truth.Items, got)
	}

	// An order that does not exist is a reject, until somebody accepts that.
	contains(t, w.run(1, "track", "D000000000000000").out, "OrderInformationInvalid")
	contains(t, w.run(0, "rejects").out, "detail-D000000000000000")
	w.run(0, "rejects", "accept", "detail-D000000000000000", "--note", "mistyped")
	w.run(0, "backfill", "--from", "-1d")
}

// What is tracked is kept fresh by a run until it is settled, and costs nothing after that.
func TestTrackedOrdersAreKeptFresh(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 40, Vendor: simulator.VendorDomain})
	w.configure("source: bss", "source: domain")
	ids := w.account.IDs(time.Time{}, time.Time{})
	w.run(0, append([]string{"track"}, ids...)...)
	unpaid := w.account.Unpaid()
	if len(unpaid) == 0 {
		t.Fatal("a test without an unpaid order")
	}
	for _, id := range unpaid {
		if err := w.account.Pay(id); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		w.run(0, "backfill", "--from", "-1d") // the second one has nothing to ask
	}
	for _, id := range ids {
		want := 1
		if slices.Contains(unpaid, id) {
			want = 2
		}
		if got := w.account.DetailCalls(id); got != want {
			t.Errorf("%s was asked for %d times, want %d", id, got, want)
		}
	}
	contains(t, w.run(0, "sql", "--format", "csv", "SELECT countIf(payment_status = 'Unpaid') AS unpaid FROM orders").out, "0")
}

func TestCancelUnpaidOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	w.configure()
	w.run(0, "backfill", "--from", "-1d")
	unpaid := w.account.Unpaid()
	paid := w.account.IDs(time.Time{}, time.Time{})
	paid = slices.DeleteFunc(paid, func(id string) bool { o, _ := w.account.Order(id); return o.PaymentStatus != "Paid" })
	calls := func() int { return w.account.Calls()["CancelOrder"].Total }

	contains(t, w.run(2, "cancel", unpaid[0]).err, "nobody to ask", "--yes")
	contains(t, w.run(2, "cancel").err, "--unpaid-older-than")
	contains(t, w.run(0, "cancel", unpaid[0], "--dry-run").out, unpaid[0], "would be cancelled")
	contains(t, w.run(1, "cancel", paid[0], "--yes").out, "not unpaid", "nothing to cancel")
	contains(t, w.run(1, "cancel", "999", "--yes").out, "not in the warehouse", "ordersync track")
	contains(t, w.run(0, "rejects").out, "no open rejects")
	if calls() != 0 {
		t.Fatalf("%d calls of CancelOrder before anything was confirmed", calls())
	}

	got := decode[orderLines](t, w.run(0, "cancel", unpaid[0], "--yes", "--json").out).Orders[0]
	if got.Outcome != "cancelled" || got.PaymentStatus != "Cancelled" || got.RequestID == "" {
		t.Errorf("%+v", got)
	}
	if o, _ := w.account.Order(unpaid[0]); o.PaymentStatus != "Cancelled" || calls() != 1 {
		t.Errorf("%s at the vendor after %d calls", o.PaymentStatus, calls())
	}

	// The vendor throttles the second, and drops the connection on the third before it says what it did.
	var tries atomic.Int32
	w.account.SetFault(func(q simulator.FaultRequest) simulator.Action {
		if q.API != "CancelOrder" {
			return simulator.Action{}
		}
		switch tries.Add(1) {
		case 1:
			return simulator.Action{Error: &simulator.Error{Status: 400, Code: "Throttling.User"}}
		case 3:
			return simulator.Action{Reset: true}
		}
		return simulator.Action{}
	})
	r := decode[orderLines](t, w.run(1, "cancel", unpaid[1], unpaid[2], "--yes", "--json").out)
	if r.Orders[0].Outcome != "cancelled" || r.Orders[1].Outcome != "unknown" || r.Orders[1].Error == "" || r.Orders[1].PaymentStatus != "Cancelled" {
		t.Errorf("%+v", r.Orders)
	}
	w.account.SetFault(nil)
	if n := calls(); n != 4 {
		t.Errorf("%d calls: what nobody knows the outcome of was asked again", n)
	}

	w.run(0, "cancel", "--unpaid-older-than", "1s", "--yes")
	if left := w.account.Unpaid(); len(left) != 0 {
		t.Errorf("%d orders are left unpaid", len(left))
	}
	contains(t, w.run(0, "cancel", "--unpaid-older-than", "1s", "--yes").out, "nothing to cancel")
	rows := w.run(0, "sql", "--format", "csv", `SELECT outcome, count(), countIf(requested_by != ''), countIf(request_id != ''), countIf(payment_status = 'Cancelled')
		FROM cancellations GROUP BY outcome ORDER BY outcome`).out
	done := strconv.Itoa(len(unpaid) - 1)
	contains(t, rows, `"cancelled",`+strings.Join([]string{done, done, done, done}, ","), `"unknown",1,1,0,1`)
	w.run(0, "verify", "--deep")
}

// On a terminal it asks, and anything but yes is no.
func TestCancelAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 200)
	w.configure()
	w.run(0, "backfill", "--from", "-1d")
	id := w.account.Unpaid()[0]
	for _, c := range []struct{ answer, want string }{{"no\r", "Unpaid"}, {"\r", "Unpaid"}, {"yes\r", "Cancelled"}} {
		cmd := w.command("cancel", id)
		terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
		if err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		asked := false
		for b := make([]byte, 1024); ; {
			n, err := terminal.Read(b)
			shown.Write(b[:n])
			if !asked && strings.Contains(shown.String(), "[y/N]") {
				asked = true
				if _, err := terminal.WriteString(c.answer); err != nil {
					t.Fatal(err)
				}
			}
			if err != nil {
				break // the program has ended
			}
		}
		_ = cmd.Wait()
		_ = terminal.Close()
		if o, _ := w.account.Order(id); o.PaymentStatus != c.want || !asked || (cmd.ProcessState.ExitCode() == 0) != (c.want == "Cancelled") {
			t.Errorf("after %q: %s, exit code %d\n%s", c.answer, o.PaymentStatus, cmd.ProcessState.ExitCode(), shown.String())
		}
	}
}

// It is the only write to a vendor: nothing but the verb may come upon it.
func TestOnlyTheVerbCancels(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{"cmd/internal/app/cancel.go": "NewCanceller", "cmd/internal/cli/cancel.go": "NewCanceller"}
	root := filepath.Join("..", "..", "..")
	found := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "NewCanceller" {
				found++
				if allowed[filepath.ToSlash(name)] == "" {
					t.Errorf("%s takes the right to cancel", name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || found != 2 {
		t.Errorf("%d places, %v", found, err)
	}
}

func TestProductNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.configure()
	contains(t, w.run(0, "products").out, "main: 449 product names")
	contains(t, w.run(0, "sql", "--format", "csv", "SELECT count(), uniqExact(product_code, product_type, subscription_type), countIf(product_name = '') FROM products").out, "449,449,0")
	w.run(0, "products", "--json")
	contains(t, w.run(0, "sql", "--format", "csv", "SELECT count() FROM products").out, "449")
	w.account.SetFault(func(q simulator.FaultRequest) simulator.Action {
		return simulator.Action{Error: &simulator.Error{Status: 403, Code: "NoPermission", Message: "You are not authorized."}}
	})
	contains(t, w.run(3, "products").err, "bss:QueryProductList")
}
