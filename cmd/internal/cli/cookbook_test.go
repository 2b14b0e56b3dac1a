package cli_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/simulator"
)

// cookbook is the cookbook of schema/README.md on an account of the demo's kind, and what the account really holds.
type cookbook struct {
	*world
	queries map[string]string // by their titles
	orders  []simulator.Order // all, oldest first
	names   map[[3]string]string
}

func newCookbook(t *testing.T) *cookbook {
	c := &cookbook{
		world:   newWorldWith(t, simulator.Options{Seed: 4, Orders: 1500, From: time.Now().Add(-40 * 24 * time.Hour)}),
		queries: map[string]string{}, names: map[[3]string]string{},
	}
	titles, queries := blocks(t, "sql")
	for i, title := range titles {
		c.queries[title] = queries[i]
	}
	c.configure()
	c.run(0, "backfill", "--from", "-961h")
	// Half of the products have names, so that some orders have none.
	s, err := sink.Open(t.Context(), sink.Config{Addr: []string{c.addr}, Database: c.database, Username: "default"})
	if err != nil {
		t.Fatal(err)
	}
	var products []schema.Product
	for i, p := range simulator.Products() {
		if i%2 == 0 {
			c.names[[3]string{p.Code, p.Type, p.Subscription}] = p.Name
			products = append(products, schema.Product{Source: "bss", Account: "main", ProductCode: p.Code, ProductType: p.Type,
				SubscriptionType: p.Subscription, ProductName: p.Name, FetchedAt: time.Now(), Version: 1})
		}
	}
	if err := s.WriteProducts(t.Context(), products); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.read()
	return c
}

// read asks the simulator for the truth.
func (c *cookbook) read() {
	c.orders = nil
	for _, id := range c.account.IDs(time.Time{}, time.Time{}) {
		o, ok := c.account.Order(id)
		if !ok {
			c.t.Fatalf("no order %s", id)
		}
		c.orders = append(c.orders, o)
	}
}

func (c *cookbook) name(o *simulator.Order) string {
	return c.names[[3]string{o.ProductCode, o.ProductType, o.SubscriptionType}]
}

// ask runs a query of the cookbook and gives its rows as texts. oldnew replaces parts of it, such as the present.
func (c *cookbook) ask(title string, oldnew ...string) []string {
	c.t.Helper()
	query, ok := c.queries[title]
	if !ok {
		c.t.Fatalf("the cookbook has no query %q", title)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(query, oldnew[i]) {
			c.t.Fatalf("%q is not in %q", oldnew[i], title)
		}
		query = strings.ReplaceAll(query, oldnew[i], oldnew[i+1])
	}
	out := c.run(0, "sql", "--format", "tsv", query).out
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")[1:]
}

// same compares rows whose order does not matter.
func (c *cookbook) same(title string, got, want []string) {
	c.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if len(want) == 0 {
		c.t.Errorf("%s: the truth has no row: the test proves nothing", title)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		c.t.Errorf("%s: (-truth +got)\n%s", title, diff)
	}
}

func row(values ...any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case time.Time:
			texts[i] = `\N`
			if !v.IsZero() {
				texts[i] = v.UTC().Format("2006-01-02 15:04:05.000")
			}
		case decimal.NullDecimal:
			texts[i] = `\N`
			if v.Valid {
				texts[i] = v.Decimal.String()
			}
		default:
			texts[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(texts, "\t")
}

// groups sums amounts by a key, as SQL does: nothing but NULL has no sum.
type groups map[string]*group

type group struct {
	n      int
	amount decimal.NullDecimal
}

func (g groups) add(amount decimal.NullDecimal, key ...any) {
	k := row(key...)
	if g[k] == nil {
		g[k] = &group{}
	}
	g[k].n++
	if amount.Valid {
		g[k].amount = decimal.NewNullDecimal(g[k].amount.Decimal.Add(amount.Decimal))
	}
}

func (g groups) counted() (rows []string) {
	for key, v := range g {
		rows = append(rows, row(key, v.n, v.amount))
	}
	return rows
}

func (g groups) summed() (rows []string) {
	for key, v := range g {
		rows = append(rows, row(key, v.amount))
	}
	return rows
}

// spendOf is what a line counts for in spend: written anew, by what schema/README.md says.
func spendOf(o *simulator.Order, i *simulator.Item) (paid, refunded, net decimal.NullDecimal) {
	zero := decimal.NewNullDecimal(decimal.Zero)
	switch {
	case o.OrderType == "Refund" && !i.Pretax.Valid:
		return zero, i.Pretax, i.Pretax
	case o.OrderType == "Refund":
		back := i.Pretax.Decimal.Abs()
		return zero, decimal.NewNullDecimal(back), decimal.NewNullDecimal(back.Neg())
	case o.PaymentStatus == "Paid":
		return i.Pretax, zero, i.Pretax
	}
	return zero, zero, zero
}

func TestReadmeCookbook(t *testing.T) {
	t.Parallel()
	c := newCookbook(t)
	c.ordersAndItems()
	c.spend()
	c.unpaid()
	c.renewals()
	c.chains()
	c.instances()
	c.checks()
	c.mart()
	c.history()
	for title := range c.queries {
		if !slices.Contains(answered, title) && !slices.Contains(ofCloses, title) {
			t.Errorf("no test compares the answer of %q with the truth", title)
		}
	}
}

// ofCloses are the titles of what is asked of closed months, which TestClose compares.
var ofCloses = []string{"What moved in a closed month since it was closed?", "What did a closed month come to then, and what does it now?"}

// answered are the titles that the functions below compare.
var answered = []string{
	"When was what ordered?", "What did it cost, and is it paid?", "What did an order configure: how many, and which instances?",
	"Which RAM user ordered it?", "What was spent by day?", "What was spent by product and region?",
	"What is unpaid, and for how long?", "Which renewals are due within 30 days?",
	"Which orders belong together: purchase, renewals, refund?", "Which orders does an instance come from?",
	"What changed within a day?", "What did the orders look like at a moment?", "Which orders do not add up?", "Is my copy whole?",
	"Which resources cost the most?", "What discount do we get on what?", "What was refunded, and of which order?",
	"What did renewals cost, and what did the order cost that they continue?",
	"What did new orders, renewals, upgrades and refunds come to? (Details spell a type in lower case at times.)", "What does each month of service cost?",
	"What was spent in each month, by local time?", "Who ordered for how much, by name?", "What is still to be paid?",
}

// The first three uses that the vendor's order-management document names; the fourth is the operators' in spend.
func (c *cookbook) ordersAndItems() {
	since := time.Now().Add(-7 * 24 * time.Hour)
	var when []string
	ids, spent, due := map[string]map[string]bool{}, groups{}, groups{}
	for i := range c.orders {
		o := &c.orders[i]
		if !o.CreateTime.Before(since) {
			when = append(when, row(o.CreateTime, o.OrderID, c.name(o), o.OrderType, o.PaymentStatus))
		}
		for k := range o.Items {
			_, _, net := spendOf(o, &o.Items[k])
			unpaid := decimal.NewNullDecimal(decimal.Zero)
			if o.PaymentStatus == "Unpaid" {
				unpaid = o.Items[k].Pretax
			}
			key := row(o.CreateTime.Format("2006-01-02")[:8]+"01", o.Currency, strings.ToLower(cmp.Or(o.PaymentStatus, "refund")))
			if ids[key] == nil {
				ids[key] = map[string]bool{}
			}
			ids[key][o.OrderID] = true
			spent.add(net, key)
			due.add(unpaid, key)
		}
	}
	var cost []string
	for key := range ids {
		cost = append(cost, row(key, len(ids[key]), spent[key].amount, due[key].amount))
	}
	c.same("when", c.ask("When was what ordered?", "now() - INTERVAL 7 DAY",
		fmt.Sprintf("fromUnixTimestamp64Milli(%d)", since.UnixMilli())), when)
	c.same("cost", c.ask("What did it cost, and is it paid?"), cost)

	var configured []string
	last := slices.MaxFunc(c.orders, func(a, b simulator.Order) int { return cmp.Compare(a.OrderID, b.OrderID) })
	for _, i := range last.Items {
		instances := "[]"
		if len(i.InstanceIDs) > 0 {
			instances = "['" + strings.Join(i.InstanceIDs, "','") + "']"
		}
		config := cmp.Or(i.Config, i.OriginalConfig)
		configured = append(configured, row(last.OrderID, i.ItemID, c.name(&last), i.Region, i.Quantity, instances, config))
	}
	c.same("configured", c.ask("What did an order configure: how many, and which instances?"), configured)
}

func (c *cookbook) spend() {
	type user struct {
		orders      map[string]bool
		first, last time.Time
	}
	users, bought := map[string]*user{}, groups{}
	days, back, spent, products := groups{}, groups{}, groups{}, groups{}
	for n := range c.orders {
		o := &c.orders[n]
		for k := range o.Items {
			i := &o.Items[k]
			paid, refunded, net := spendOf(o, i)
			day := o.CreateTime.Format(time.DateOnly)
			days.add(paid, day, o.Currency)
			back.add(refunded, day, o.Currency)
			spent.add(net, day, o.Currency)
			products.add(net, o.ProductCode, c.name(o), i.Region, o.Currency)
			if i.Operator == "" {
				continue
			}
			key := row(i.Operator, o.Currency)
			bought.add(net, i.Operator, o.Currency)
			if users[key] == nil {
				users[key] = &user{orders: map[string]bool{}, first: o.CreateTime}
			}
			users[key].orders[o.OrderID], users[key].last = true, o.CreateTime
		}
	}
	var byDay, byUser []string
	for key := range days {
		byDay = append(byDay, row(key, days[key].amount, back[key].amount, spent[key].amount))
	}
	for key, u := range users {
		byUser = append(byUser, row(key, len(u.orders), u.first, u.last, bought[key].amount))
	}
	c.same("operators", c.ask("Which RAM user ordered it?"), byUser)
	c.same("days", c.ask("What was spent by day?"), byDay)
	c.same("products", c.ask("What was spent by product and region?"), products.summed())
}

func (c *cookbook) unpaid() {
	var want []string
	for n := range c.orders {
		if o := &c.orders[n]; o.PaymentStatus == "Unpaid" {
			want = append(want, row(o.OrderID, c.name(o), o.Currency, o.Pretax, 0))
		}
	}
	// The age depends on the moment; a test of the sink looks at it.
	c.same("unpaid", c.ask("What is unpaid, and for how long?", "age_hours, ", ""), want)
}

// renewals looks for the latest paid end of each instance that no later refund took back.
func (c *cookbook) renewals() {
	type end struct {
		at    time.Time
		order *simulator.Order
		item  *simulator.Item
	}
	ends, refunded := map[string]end{}, map[string]time.Time{}
	for n := range c.orders {
		o := &c.orders[n]
		for k := range o.Items {
			for _, id := range o.Items[k].InstanceIDs {
				if o.OrderType == "Refund" {
					refunded[id] = o.CreateTime
				}
			}
		}
	}
	for n := range c.orders {
		o := &c.orders[n]
		if o.OrderType == "Refund" || o.PaymentStatus != "Paid" || o.SubscriptionType != "Subscription" {
			continue
		}
		for k := range o.Items {
			i := &o.Items[k]
			for _, id := range i.InstanceIDs {
				e, ok := ends[id]
				later := !ok || cmp.Or(i.UsageEndTime.Compare(e.at), o.CreateTime.Compare(e.order.CreateTime), cmp.Compare(i.ItemID, e.item.ItemID)) > 0
				if later && !refunded[id].After(o.CreateTime) {
					ends[id] = end{i.UsageEndTime, o, i}
				}
			}
		}
	}
	day := func(t time.Time) int { return int(t.Unix() / 86400) }
	for {
		today := day(time.Now())
		got := c.ask("Which renewals are due within 30 days?")
		if today != day(time.Now()) {
			continue // midnight came between
		}
		var want []string
		for id, e := range ends {
			if left := day(e.at) - today; left >= 0 && left <= 30 {
				want = append(want, row(id, c.name(e.order), e.item.Region, e.at, left, e.order.OrderID))
			}
		}
		c.same("renewals", got, want)
		return
	}
}

// chains follows each order to the one that it refers to, and so on.
func (c *cookbook) chains() {
	byID, linked := map[string]*simulator.Order{}, map[string]bool{}
	for n := range c.orders {
		o := &c.orders[n]
		byID[o.OrderID] = o
		if o.RelatedOrderID != "" {
			linked[o.OrderID], linked[o.RelatedOrderID] = true, true
		}
	}
	var want []string
	for id := range linked {
		root, depth := byID[id], 0
		for ; root.RelatedOrderID != ""; depth++ {
			root = byID[root.RelatedOrderID]
		}
		o := byID[id]
		want = append(want, row(root.OrderID, depth, id, o.OrderType, o.PaymentStatus, o.CreateTime, o.Currency, o.Pretax))
	}
	c.same("chains", c.ask("Which orders belong together: purchase, renewals, refund?"), want)
}

func (c *cookbook) instances() {
	rows, last := map[string][]string{}, ""
	for n := range c.orders {
		o := &c.orders[n]
		for _, i := range o.Items {
			kind := o.OrderType
			if i.Lower {
				kind = strings.ToLower(kind)
			}
			for _, id := range i.InstanceIDs {
				last = max(last, id)
				rows[id] = append(rows[id], row(o.CreateTime, o.OrderID, kind, i.Operator, i.UsageStartTime, i.UsageEndTime))
			}
		}
	}
	c.same("instances", c.ask("Which orders does an instance come from?"), rows[last])
}

func (c *cookbook) checks() {
	differ, agree, most := 0, 0, decimal.Zero
	for n := range c.orders {
		o := &c.orders[n]
		sum := groups{}
		for _, i := range o.Items {
			sum.add(i.Pretax, "")
		}
		if !o.Pretax.Valid || sum[""] == nil || !sum[""].amount.Valid {
			continue
		}
		if d := o.Pretax.Decimal.Sub(sum[""].amount.Decimal); d.IsZero() {
			agree++
		} else {
			differ, most = differ+1, decimal.Max(most, d.Abs())
		}
	}
	c.same("do not add up", c.ask("Which orders do not add up?"), []string{row(differ, agree, most)})
	// All but what is open, which is the hour under way, and for two minutes the one before it.
	const closed = "SELECT count(), countIf(verdict != 'open') FROM sync_windows"
	whole := strings.Split(strings.TrimSpace(c.run(0, "sql", "--format", "tsv", closed).out), "\n")[1:]
	if len(whole) != 1 || !strings.HasPrefix(whole[0], "962\t96") {
		c.t.Errorf("the ledger has %q windows", whole)
	}
	c.same("whole", c.ask("Is my copy whole?"), whole)
}

// history changes some orders, copies them again and asks what they were before.
func (c *cookbook) history() {
	state := func() []string {
		g := groups{}
		for n := range c.orders {
			g.add(c.orders[n].Pretax, c.orders[n].PaymentStatus, c.orders[n].Currency)
		}
		return g.counted()
	}
	before, moment := state(), time.Now()
	old := map[string]simulator.Order{}
	for n, id := range c.account.Unpaid() {
		old[id], _ = c.account.Order(id)
		change := c.account.Pay
		if n%2 == 1 {
			change = c.account.Cancel
		}
		if err := change(id); err != nil {
			c.t.Fatal(err)
		}
	}
	raised := c.orders[len(c.orders)/2]
	old[raised.OrderID] = raised
	if err := c.account.Change(raised.OrderID); err != nil {
		c.t.Fatal(err)
	}
	c.run(0, "backfill", "--from", "-961h", "--force")
	after := time.Now()
	c.read()

	var changed []string
	for id, o := range old {
		now, _ := c.account.Order(id)
		changed = append(changed, row(id, o.PaymentStatus, now.PaymentStatus, o.Pretax, now.Pretax))
	}
	c.same("changed", c.ask("What changed within a day?", "SELECT valid_from, order_id", "SELECT order_id"), changed)

	at := func(t time.Time) string {
		return "fromUnixTimestamp64Milli(" + strconv.FormatInt(t.UnixMilli(), 10) + ", 'UTC')"
	}
	const now = "now64(3, 'UTC') - INTERVAL 1 MINUTE"
	c.same("the state before", c.ask("What did the orders look like at a moment?", now, at(moment)), before)
	c.same("the state after", c.ask("What did the orders look like at a moment?", now, at(after)), state())
}
