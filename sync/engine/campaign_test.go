package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/simulator/compare"
	"github.com/ordersync/ordersync/sync/stream"
)

const (
	quickSeeds = 2
	slowSeeds  = 60
	// seedsAtOnce is more than there are cores, because a seed with hanging calls mostly waits.
	seedsAtOnce = 4
)

// TestCampaign lets everything go wrong that the simulator can do wrong, a different mix for every seed, while orders
// come and change, those of the past and details alone, too. During the faults whatever is lost must be visible and nothing may be
// counted twice; after them the warehouse must equal the truth, order by order, within the bounds and by the daemon's own runs: nobody
// verifies or repairs anything.
//
// ORDERSYNC_SLOW=1 runs many seeds, ORDERSYNC_SEED=17 that one alone, ORDERSYNC_SEED=1-40 these.
func TestCampaign(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(quickSeeds)
	if os.Getenv("ORDERSYNC_SLOW") == "1" {
		last = slowSeeds
	}
	if s := os.Getenv("ORDERSYNC_SEED"); s != "" {
		from, to, several := strings.Cut(s, "-")
		if !several {
			to = from
		}
		var err, err2 error
		first, err = strconv.ParseUint(from, 10, 64)
		last, err2 = strconv.ParseUint(to, 10, 64)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	}
	var workers sync.WaitGroup
	var next atomic.Uint64
	next.Store(first)
	for range seedsAtOnce {
		workers.Go(func() {
			for seed := next.Add(1) - 1; seed <= last; seed = next.Add(1) - 1 {
				t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { newCampaign(t, seed).run() })
			}
		})
	}
	workers.Wait()
}

// campaign is one seed of it.
type campaign struct {
	*world
	seed     uint64
	rnd      *rand.Rand
	pageSize int
	script   *simulator.Script
	living   *simulator.Living
	watcher  watcher
	now      time.Time // of the next run; the vendor's own clock is the machine's, because requests are signed with it
}

func newCampaign(t *testing.T, seed uint64) *campaign {
	rnd := rand.New(rand.NewPCG(seed, 4))
	orders := 300 + rnd.IntN(1200)
	c := &campaign{
		seed: seed, rnd: rnd, pageSize: []int{10, 20, 20, 50}[rnd.IntN(4)],
		now: start.AddDate(0, 0, 2+rnd.IntN(2)), watcher: watcher{make(chan struct{}, 1)},
	}
	o := simulator.Options{
		Seed: seed, Orders: orders, From: start, To: c.now, BusyHour: []int{0, -1, orders / 2}[rnd.IntN(3)],
		OldestFirst: rnd.IntN(2) == 1, Boundary: simulator.Boundary(rnd.IntN(4)), MaxPageSize: c.pageSize,
	}
	addr, database := warehousetest.Database(t)
	c.world = newWorldIn(t, o, sink.Config{Addr: []string{addr}, Database: database, Observer: c.watcher})
	c.script = simulator.Chaos(seed)
	c.living = simulator.NewLiving(c.Account, seed)
	c.living.Corrects = seed%2 == 0
	c.living.Delivery, c.living.Details, c.living.Past = 4*time.Hour, true, true
	c.Recheck = []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour}
	c.bounds = engine.Bounds{Rows: 2 * 24 * time.Hour, Details: 4 * 24 * time.Hour}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to see it again: ORDERSYNC_SEED=%d go test -run 'TestCampaign$' ./sync/engine\n%d orders, pages of %d, faults of %s",
				seed, orders, c.pageSize, c.script)
		}
	})
	return c
}

func (c *campaign) run() {
	defer c.watch()()
	// A call that hangs costs its time-out, which is why it is short here.
	c.Engine = c.NewEngine(400*time.Millisecond, c.pageSize)
	c.Account.SetFault(c.script.Fault)

	c.pass(time.Duration(c.rnd.IntN(3)) * 20 * time.Minute) // also a backfill that ends where an hour ends
	s, err := c.Engine.Backfill(c.Context(), c.now, start, c.now, false, nil)
	c.lossesShow("the backfill", s, err)
	for i := range 4 + c.rnd.IntN(3) {
		c.pass([]time.Duration{time.Minute, 5 * time.Minute, time.Hour, 7 * time.Hour}[c.rnd.IntN(4)])
		s, err := c.livingTick(i)
		c.lossesShow(fmt.Sprintf("tick %d", i), s, err)
		if c.Failed() {
			return
		}
		if _, err := c.scrub(); err != nil {
			c.Fatal(err)
		}
	}

	// The faults end, and the process is a new one. What failed often is tried again a day later at the latest; with it
	// come the windows that were short or failed long ago, the records that could not be read and the details.
	c.script.Off()
	c.Engine = c.NewEngine(0, c.pageSize)
	for _, d := range []time.Duration{5 * time.Minute, 25 * time.Hour, 25 * time.Hour} {
		c.pass(d)
		c.living.Step(c.now)
		s, err = c.tick()
		if err != nil {
			c.Fatal(err)
		}
	}
	if err := s.Err(); err != nil {
		c.Errorf("long after the faults: %v", err)
	}
	// What changed in the past and in details nobody tells. From now on only that changes which a run sees: a while later all else has
	// come round.
	c.living.Corrects, c.living.Delivery, c.living.Details, c.living.Past = false, 0, false, false
	for at := time.Duration(0); at <= c.bounds.Details; at += betweenRuns {
		c.pass(betweenRuns)
		c.living.Step(c.now)
		if s, err = c.tick(); err != nil || s.Err() != nil {
			c.Fatal(err, s.Err())
		}
		if s, err = c.scrub(); err != nil || s.Err() != nil {
			c.Error(err, s.Err())
		}
	}
	c.verified()
	c.Recheck = nil // it looks without a sign of a change
	c.Engine = c.NewEngine(0, c.pageSize)
	c.onlyWhatChanged()
}

// betweenRuns is how long after a run the next one is due.
const betweenRuns = 24 * time.Hour

// scrub is what the daemon does after a scheduled run.
func (c *campaign) scrub() (s stream.Summary, err error) {
	due, err := c.Engine.DueScrub(c.Context(), c.bounds, c.now, time.Now().Add(betweenRuns))
	if err != nil || due == nil {
		return s, err
	}
	return c.Engine.RunScrub(c.Context(), due, nil)
}

// pass lets time pass.
func (c *campaign) pass(d time.Duration) { c.now = c.now.Add(d) }

func (c *campaign) tick() (stream.Summary, error) {
	return c.Engine.Scheduled(c.Context(), c.now, time.Now().Add(time.Hour), nil)
}

// livingTick is a tick before which the source has changed; with every third seed it changes under the tick, too.
func (c *campaign) livingTick(i int) (stream.Summary, error) {
	if c.seed%3 != 0 {
		c.living.Step(c.now)
		return c.tick()
	}
	c.living.Step(c.now.Add(-30 * time.Second))
	var under sync.WaitGroup
	under.Go(func() {
		time.Sleep(time.Duration(5*i) * time.Millisecond)
		c.living.Step(c.now)
	})
	defer under.Wait()
	return c.tick()
}

// verified says what must be right once all has come round.
func (c *campaign) verified() {
	if r := c.Verify(c.now, audit.Options{Deep: true}); len(r.Differences) > 0 {
		c.Errorf("a deep verify finds %v", r.Differences)
	}
	c.Equal(c.now)
	orders, err := c.Sink.Orders(c.Context(), c.Stream, schema.MinTime, schema.MaxTime)
	if err != nil {
		c.Fatal(err)
	}
	items, err := c.Sink.Items(c.Context(), c.Stream, schema.MinTime, schema.MaxTime)
	if err != nil {
		c.Fatal(err)
	}
	for _, d := range compare.Rows(orders, items, c.Account) {
		c.Error(d)
	}
	if open, err := warehousetest.OpenRejects(c.Context(), c.Sink, c.Stream); err != nil || len(open) > 0 {
		c.Errorf("%d open rejects, the first %+v, %v", len(open), first(open), err)
	}
	if pending, err := c.Sink.Pending(c.Context(), c.Stream, schema.OrderRef{}, 1_000_000); err != nil || len(pending) > 0 {
		c.Errorf("pending: %v, %v", pending, err)
	}
	c.history()
}

func first[T any](list []T) (t T) {
	if len(list) > 0 {
		t = list[0]
	}
	return t
}
