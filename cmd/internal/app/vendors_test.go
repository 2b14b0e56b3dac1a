package app_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
	"github.com/ordersync/ordersync/sync/stream"
)

// company is a company with a login at every vendor, behind one simulator.
type company struct {
	*testing.T
	from, to time.Time
	cfg      *config.Config
	truths   map[schema.Stream]*simulator.Account
	logins   map[string]*simulator.Account
}

func newCompany(t *testing.T) *company {
	t.Helper()
	to := time.Now().UTC().Truncate(time.Second)
	c := &company{T: t, from: to.Truncate(time.Hour).Add(-48 * time.Hour), to: to, cfg: config.Default(),
		truths: map[schema.Stream]*simulator.Account{}, logins: map[string]*simulator.Account{}}
	addr, database := warehousetest.Database(t)
	c.cfg.ClickHouse = config.ClickHouse{Addr: []string{addr}, Database: database, Username: "default"}
	c.cfg.Schedule.Cron = "@every 1s"
	c.cfg.HTTP.Listen = "127.0.0.1:0"
	server := simulator.New()
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	add := func(name, source string, o simulator.Options) *config.Account {
		o.Seed, o.From, o.To = uint64(len(c.logins)+1), c.from, c.to
		o.AccessKeyID = "key-of-" + name
		account := simulator.NewAccount(o)
		server.AddAccount(account)
		c.logins[name] = account
		c.truths[schema.Stream{Source: source, Account: name}] = account
		a := config.NewAccount(name, source)
		a.Endpoint = server.URL()
		a.Credentials = config.Credentials{AccessKeyID: o.AccessKeyID, AccessKeySecret: "testsecret"}
		a.Quota = config.Quota{List: 1000, Detail: 1000}
		c.cfg.Accounts = append(c.cfg.Accounts, a)
		return &c.cfg.Accounts[len(c.cfg.Accounts)-1]
	}
	add("china", config.SourceBSS, simulator.Options{Orders: 150})
	add("abroad", config.SourceBSS, simulator.Options{Orders: 80, Site: simulator.SiteInternational}).Site = config.SiteInternational
	reseller := add("reseller", config.SourceBSS, simulator.Options{Orders: 40})
	for i, n := range []int{60, 1, 0} {
		owner := fmt.Sprint(1000 + i)
		customer := simulator.NewAccount(simulator.Options{Seed: uint64(100 + i), Orders: n, From: c.from, To: c.to})
		c.logins["reseller"].AddOwner(owner, customer)
		reseller.OwnerIDs = append(reseller.OwnerIDs, owner)
		c.truths[schema.Stream{Source: config.SourceBSS, Account: "reseller", OwnerID: owner}] = customer
	}
	add("unicloud", config.SourceUniCloud, simulator.Options{Orders: 70, Vendor: simulator.VendorUniCloud})
	add("domains", config.SourceDomain, simulator.Options{Orders: 25, Vendor: simulator.VendorDomain})
	return c
}

// equal holds every stream against its own truth, and each of its rows.
func (c *company) equal(a *app.App) {
	c.Helper()
	for stream, account := range c.truths {
		diff, err := compare.Owner(c.Context(), a.Warehouse().Conn(), stream.Account, stream.OwnerID, c.from, c.to, account.Truth(c.from, c.to))
		if err != nil {
			c.Fatal(err)
		}
		for _, d := range diff {
			c.Errorf("%s: %s", stream, d)
		}
	}
}

// spent holds what each order counts in spend against what its vendor says it costs.
func (c *company) spent(a *app.App) {
	c.Helper()
	for of, account := range c.truths {
		want := decimal.Zero
		for _, id := range account.IDs(c.from, c.to) {
			o, _ := account.Order(id)
			lines := decimal.Zero
			for _, i := range o.Items {
				lines = lines.Add(i.Pretax.Decimal)
			}
			switch kind, state := strings.ToLower(o.OrderType), schema.PaymentState(o.PaymentStatus); {
			case kind == "refund" && (state == schema.StateNone || state == schema.StatePaid):
				want = want.Sub(lines.Abs())
			case kind != "refund" && state == schema.StatePaid:
				want = want.Add(lines)
			}
			if of.Source == config.SourceUniCloud && len(o.Items) > 0 && !lines.Equal(o.Pretax.Decimal) {
				c.Errorf("order %s of %s costs %s, and its lines %s", id, of, o.Pretax.Decimal, lines)
			}
		}
		var got decimal.Decimal
		err := a.Warehouse().Conn().QueryRow(c.Context(), "SELECT ifNull(sum(net), 0) FROM spend WHERE account = ? AND owner_id = ?", of.Account, of.OwnerID).Scan(&got)
		if err != nil || !got.Equal(want) {
			c.Errorf("%s: spend says %s, want %s (%v)", of, got, want, err)
		}
	}
}

func (c *company) backfill(a *app.App) stream.Summary {
	c.Helper()
	s, err := a.Backfill(c.Context(), c.to, c.from, c.to, false, nil)
	if err != nil {
		c.Fatal(err)
	}
	return s
}

// A source that the configuration knows is wired.
func TestEverySourceIsWired(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	for _, source := range []string{config.SourceBSS, config.SourceUniCloud, config.SourceDomain} {
		a := config.NewAccount(source, source)
		a.Credentials = config.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"}
		cfg.Accounts = append(cfg.Accounts, a)
	}
	if _, err := app.New(app.Options{Config: cfg}); err != nil {
		t.Error(err)
	}
	cfg.Accounts = append(cfg.Accounts, config.NewAccount("other", "other"))
	if _, err := app.New(app.Options{Config: cfg}); err == nil || !strings.Contains(err.Error(), "source other is not wired") {
		t.Error(err)
	}
}

// One configuration with a login at every vendor is filled, verified and kept up, and each stream equals its own truth.
func TestEveryVendorSideBySide(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.cfg.Schedule.Quiet = 0 // each owner is to be asked in the run below
	log := newLines()
	a := newApp(t, c.cfg, log)
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	domains, err := a.Stream("domains", "")
	if err != nil {
		t.Fatal(err)
	}
	tracked, err := a.Track(t.Context(), c.to, domains, c.logins["domains"].IDs(c.from, c.to), "somebody", nil)
	if err != nil || tracked.Err() != nil {
		t.Fatal(err, tracked.Err())
	}
	if s := c.backfill(a); s.Err() != nil || len(s.Streams) != len(c.truths) {
		t.Fatalf("%d streams: %v", len(s.Streams), s.Err())
	}
	c.equal(a)
	c.spent(a)
	if s := c.backfill(a); s.Err() != nil {
		t.Fatal(s.Err())
	} else {
		for _, l := range s.Streams {
			if l.Changed != 0 {
				t.Errorf("%s: %d orders written again though nothing changed", l.Stream, l.Changed)
			}
		}
	}
	for _, deep := range []bool{false, true} {
		found, err := a.Verify(t.Context(), time.Now().UTC(), app.VerifyOptions{Options: audit.Options{Deep: deep}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range found {
			if v.Err != nil || v.Undone != nil || len(v.Found) > 0 {
				t.Errorf("deep %v, %s: %v, %v, %+v", deep, v.Stream, v.Err, v.Undone, v.Found)
			}
			if v.Calls == 0 && v.Note == "" {
				t.Errorf("deep %v, %s: nothing was asked", deep, v.Stream)
			}
		}
	}
	again, err := a.Replay(t.Context(), time.Now().UTC(), time.Time{}, time.Time{}, nil)
	if err != nil || again.Err() != nil {
		t.Fatal(err, again.Err())
	}
	for _, l := range again.Streams {
		if l.Changed != 0 {
			t.Errorf("replay of %s changed %d orders", l.Stream, l.Changed)
		}
	}

	// Unpaid orders are paid everywhere: a scheduled run of the daemon notices all of them.
	for _, account := range c.truths {
		for _, id := range account.IDs(c.from, c.to) {
			if o, _ := account.Order(id); schema.IsUnpaid(o.PaymentStatus) {
				if err := account.Pay(id); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 2*len(c.truths))
	c.equal(a)
	metrics := get(t, a.URL()+"/metrics")
	for _, account := range c.cfg.Accounts {
		for _, want := range []string{"ordersync_last_success_timestamp_seconds", "ordersync_lag_seconds"} {
			if line := want + `{account="` + account.Name + `"} `; !strings.Contains(metrics, line) || strings.Contains(metrics, line+"0\n") || strings.Contains(metrics, line+"+Inf\n") {
				t.Errorf("%s of %s is not there or not good", want, account.Name)
			}
		}
	}
}

// The customers of a reseller are streams of their own, and one that the login may not query fails alone, and for all to
// see.
func TestForeignOwnerFailsAlone(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.cfg.Accounts = c.cfg.Accounts[2:3]
	maps.DeleteFunc(c.truths, func(stream schema.Stream, _ *simulator.Account) bool { return stream.Account != "reseller" })
	reseller := &c.cfg.Accounts[0]
	reseller.OwnerIDs = append(reseller.OwnerIDs, "666")
	a := newApp(t, c.cfg, newLines())
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, l := range c.backfill(a).Streams {
		foreign := l.OwnerID == "666"
		if bad := l.Windows[schema.Failed] > 0 || l.Err != nil; bad != foreign {
			t.Errorf("%s: %+v", l.Stream, l)
		}
	}
	c.equal(a)
	streams, err := a.Warehouse().AccountSummaries(t.Context(), "reseller")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(streams); n != 5 || streams[n-1].OwnerID != "666" || !streams[n-1].CompleteTo.IsZero() || streams[n-1].Windows[schema.Failed] == 0 {
		t.Errorf("%+v", streams)
	}
	if errors := c.logins["reseller"].Calls()["QueryOrders"].Failed; errors > 20 {
		t.Errorf("%d calls for an owner that is refused", errors)
	}
}

// Of a reseller's customers the daemon asks those that order, and says that the others are quiet. They do not look as if they were
// behind.
func TestQuietCustomers(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.cfg.Accounts = c.cfg.Accounts[2:3]
	reseller, login := &c.cfg.Accounts[0], c.logins["reseller"]
	reseller.Quota.List = 100 // with more all are asked in each run: they are few
	for i := 3; i < 20; i++ {
		login.AddOwner(fmt.Sprint(1000+i), simulator.NewAccount(simulator.Options{Seed: uint64(100 + i), From: c.from, To: c.to}))
		reseller.OwnerIDs = append(reseller.OwnerIDs, fmt.Sprint(1000+i))
	}
	c.truths[schema.Stream{Source: config.SourceBSS, Account: "reseller", OwnerID: "1000"}].Add(1, c.to.Add(-10*time.Second))
	log := newLines()
	a := newApp(t, c.cfg, log)
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := c.backfill(a); s.Err() != nil {
		t.Fatal(s.Err())
	}
	login.ResetCounters()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	const runs = 3
	log.wait(t, "owners that were asked", runs)
	if calls := login.Calls()["QueryOrders"].Total; calls == 0 || calls > runs*20 {
		t.Errorf("%d list calls in about %d runs, where all owners in each are at least %d", calls, runs, runs*2*21)
	}
	if wrong := log.count("something is wrong"); wrong > 0 {
		t.Errorf("%d lines say that something is wrong", wrong)
	}
	metrics := get(t, a.URL()+"/metrics")
	for _, bad := range []string{`ordersync_lag_seconds{account="reseller"} +Inf`, `ordersync_last_success_timestamp_seconds{account="reseller"} 0`} {
		if strings.Contains(metrics, bad+"\n") {
			t.Error(bad)
		}
	}
	if r, err := a.Status(t.Context(), status.Query{}); err != nil || !r.OK {
		t.Errorf("%v: %+v", err, r)
	}
}

// Member accounts, by the newer version of the API.
func TestMembers(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.cfg.Accounts = c.cfg.Accounts[:1]
	china := &c.cfg.Accounts[0]
	china.APIVersion, china.MemberUIDs = config.APIVersion2023, []string{"77"}
	member := simulator.NewAccount(simulator.Options{Seed: 9, Orders: 50, From: c.from, To: c.to})
	c.logins["china"].AddMember("77", member)
	c.truths = map[schema.Stream]*simulator.Account{
		{Source: config.SourceBSS, Account: "china"}:                c.logins["china"],
		{Source: config.SourceBSS, Account: "china", OwnerID: "77"}: member,
	}
	a := newApp(t, c.cfg, newLines())
	if err := a.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := c.backfill(a); s.Err() != nil {
		t.Fatal(s.Err())
	}
	c.equal(a)
}

// Accounts run side by side, more than there are connections to the warehouse: a vendor that never answers one of them, and one with a wrong key, keep none of the
// others from their next scheduled runs.
func TestManyAccountsDoNotStarveEachOther(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.cfg.Accounts = c.cfg.Accounts[:2]
	c.truths = map[schema.Stream]*simulator.Account{}
	other := simulator.New()
	if err := other.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	for i := range 12 {
		name := fmt.Sprint("many-", i)
		account := simulator.NewAccount(simulator.Options{Seed: uint64(i), Orders: 5, From: c.from, To: c.to, AccessKeyID: name})
		other.AddAccount(account)
		a := config.NewAccount(name, config.SourceBSS)
		a.Endpoint, a.Quota = other.URL(), config.Quota{List: 1000, Detail: 1000}
		a.Credentials = config.Credentials{AccessKeyID: name, AccessKeySecret: "testsecret"}
		c.cfg.Accounts = append(c.cfg.Accounts, a)
		c.truths[schema.Stream{Source: config.SourceBSS, Account: name}] = account
	}
	c.cfg.Accounts[0].Credentials.AccessKeySecret = "wrong"
	c.logins["abroad"].SetFault(func(simulator.FaultRequest) simulator.Action { return simulator.Action{Hang: true} })
	log := newLines()
	a := newApp(t, c.cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "tick", 36)
	if n := log.countOf("something is wrong", "china"); n == 0 {
		t.Error("nothing was said of the refused key")
	}
	if n := log.countOf("tick", "abroad"); n > 0 {
		t.Errorf("%d ticks of an account whose vendor never answers", n)
	}
	for stream := range c.truths {
		if log.countOf("tick", stream.Account) < 2 {
			t.Errorf("%s was starved", stream)
		}
	}
}
