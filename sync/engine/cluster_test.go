package engine_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sync/audit"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/simulator"
	"github.com/ordersync/ordersync/sync/stream"
)

// on is a cluster as a warehouse, through the given server. Its tables are there already but for the first time.
func on(n *sinktest.Nodes, cluster string, first int, create bool) sink.Config {
	c := sink.Config{Addr: n.Addrs(first), Database: n.Database, Cluster: cluster, EachNode: create, MaxElapsedTime: 2 * time.Second}
	if !create {
		c.Addr = c.Addr[:1]
	}
	return c
}

// Everything that is done to one server works on two shards, through either of them: the copy equals the source after a
// backfill, after changes, and after a repair. The slow suite begins with the other server, too.
func TestCampaignOnTwoShards(t *testing.T) {
	t.Parallel()
	for node := range 2 {
		if node == 1 && os.Getenv("ORDERSYNC_SLOW") == "" {
			break // the first round goes on through this server
		}
		t.Run(fmt.Sprint("through server ", node), func(t *testing.T) {
			t.Parallel()
			n := sinktest.Cluster(t)
			w := newWorldIn(t, simulator.Options{Seed: 1, Orders: 600}, on(n, sinktest.TwoShards, node, true))
			now := start.AddDate(0, 0, 3)
			if err := w.Backfill(now).Err(); err != nil {
				t.Error(err)
			}
			w.Equal(now)
			for server := range 2 {
				var rows uint64
				if err := n.Conn(t, server).QueryRow(t.Context(), "SELECT count() FROM order_rows_local").Scan(&rows); err != nil || rows < 200 {
					t.Errorf("server %d has %d orders, %v", server, rows, err)
				}
			}

			// The other server sees the same, and goes on from there.
			w.Open(on(n, sinktest.TwoShards, 1-node, false))
			w.Account.ResetCounters()
			w.Backfill(now)
			if calls := w.Account.Calls()["GetOrderDetail"].Total; calls > 0 {
				t.Errorf("%d details were fetched again", calls)
			}
			ids := w.Account.IDs(now.Add(-20*time.Hour), now)
			for _, id := range ids[:40] {
				if err := w.Account.Change(id); err != nil {
					t.Fatal(err)
				}
			}
			w.Account.Add(10, now.Add(time.Minute))
			now = now.Add(time.Hour)
			if s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
				t.Error(err, s.Err())
			}
			w.Equal(now)
			if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
				t.Errorf("%v", r.Differences)
			}

			// Rows that one shard has lost are found and repaired.
			if err := n.Conn(t, node).Exec(t.Context(),
				"ALTER TABLE order_item_rows_local DELETE WHERE toDate(create_time) < '2026-03-03' SETTINGS mutations_sync = 2"); err != nil {
				t.Fatal(err)
			}
			if r := w.Verify(now, audit.Options{}); len(r.Differences) == 0 {
				t.Error("a shard has lost items, and nothing is found")
			}
			if r := w.Verify(now, audit.Options{Repair: true}); r.Left() > 0 {
				t.Errorf("after the repair: %v", r.Differences)
			}
			w.Equal(now)
		})
	}
}

// A shard goes away in the middle of a backfill: it fails with the remedy, records nothing that is not stored, and the
// next one makes the rest.
func TestShardAwayDuringABackfillSlow(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "takes long")
	n := sinktest.OwnCluster(t)
	w := newWorldIn(t, simulator.Options{Seed: 2, Orders: 1500}, on(n, sinktest.TwoShards, 0, true))
	end := start.AddDate(0, 0, 3)
	now := end.Add(time.Hour)
	w.Engine.FlushRows = 300
	var once, first sync.Once
	reached, recorded, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.Engine.Committed = func(b engine.Written) {
		if b.Windows > 0 {
			first.Do(func() { close(recorded) })
		}
	}
	w.Account.SetFault(func(r simulator.FaultRequest) simulator.Action {
		if r.API == "GetOrderDetail" && r.Number == 700 {
			once.Do(func() { close(reached) })
			<-stopped
		}
		return simulator.Action{}
	})
	type outcome struct {
		summary stream.Summary
		err     error
	}
	ended := make(chan outcome)
	go func() {
		s, err := w.Engine.Backfill(t.Context(), now, start, now, false, nil)
		ended <- outcome{s, err}
	}()
	for _, c := range []chan struct{}{reached, recorded} { // a part is whole; the order that is held back keeps another from being so
		select {
		case <-c:
		case o := <-ended:
			t.Fatal("the backfill ended: ", o.err, o.summary.Err())
		}
	}
	n.Stop(t, 1)
	close(stopped)
	o := <-ended
	err := o.err
	if err == nil {
		err = o.summary.Err()
	}
	if err == nil || !strings.Contains(err.Error(), "a shard of the cluster does not answer") {
		t.Errorf("%v", err)
	}
	n.Start(t, 1)

	before, err := w.Sink.Windows(t.Context(), w.Stream, start, end)
	if err != nil || len(before) == 0 || len(before) == 72 {
		t.Fatalf("%d windows were recorded before, %v", len(before), err)
	}
	var disagree uint64
	if err := w.Sink.Conn().QueryRow(t.Context(), "SELECT count() FROM window_audit WHERE NOT agrees").Scan(&disagree); err != nil || disagree > 0 {
		t.Errorf("%d of the recorded windows are not whole, %v", disagree, err)
	}
	if err := w.Backfill(now).Err(); err != nil {
		t.Error(err)
	}
	w.Equal(end)
}

// After a replica has failed, the next one is read, which is behind: here it never heard of what changed last. That costs
// calls. What is written then is above what it missed, so that both agree as soon as they have each other's rows.
func TestSlowReplicaThatIsBehind(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "takes long")
	n := sinktest.OwnCluster(t)
	w := newWorldIn(t, simulator.Options{Seed: 3, Orders: 600}, on(n, sinktest.TwoReplicas, 0, true))
	now := start.AddDate(0, 0, 3)
	w.Backfill(now)
	// replicate does what replication would do in the end.
	replicate := func(from, to int) {
		t.Helper()
		for _, table := range []string{"order_rows", "order_item_rows", "sync_window_rows"} {
			err := n.Conn(t, to).Exec(t.Context(), fmt.Sprintf("INSERT INTO %s_local SELECT * FROM remote('%s', '%s', '%[1]s_local')",
				table, n.Addr(from), n.Database))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func() {
		t.Helper()
		now = now.Add(5 * time.Minute)
		if s, err := w.Engine.Scheduled(t.Context(), now, time.Now().Add(time.Hour), nil); err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
	}
	replicate(0, 1)
	ids := w.Account.IDs(now.Add(-20*time.Hour), now)
	change := func(ids []string) {
		t.Helper()
		for _, id := range ids {
			if err := w.Account.Change(id); err != nil {
				t.Fatal(err)
			}
		}
	}
	change(ids[:30])
	w.Account.Add(5, now.Add(time.Minute))
	run()
	w.Equal(now)

	w.Open(on(n, sinktest.TwoReplicas, 1, false))
	n.Stop(t, 0)
	change(ids[20:50])
	run()
	w.Equal(now)

	n.Start(t, 0)
	replicate(1, 0)
	replicate(0, 1)
	for node := range 2 {
		w.Open(on(n, sinktest.TwoReplicas, node, false))
		w.Equal(now)
		if r := w.Verify(now, audit.Options{Deep: true}); len(r.Differences) > 0 {
			t.Errorf("%v", r.Differences)
		}
	}
}
