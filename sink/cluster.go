package sink

import (
	"context"
	"fmt"
	"regexp"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/ordersync/ordersync/schema"
)

// clusterSettings are those of every connection to a cluster. Rows are written through the Distributed tables and not to
// the shards themselves: which servers there are, and what they are called, is the cluster's own knowledge, any server of
// clickhouse.addr will do, and none but these needs to be reachable from here.
var clusterSettings = clickhouse.Settings{
	// An insert is confirmed when every shard has stored its part (I1), not when the server that took it has queued it.
	"distributed_foreground_insert": 1,
	// Writes and reads of a shard go to its first replica that answers, whichever server they come through: so the sync
	// reads what it wrote, although replicas follow each other with a delay. After a replica has failed it may read an
	// older state, once; that costs calls and no data, because what is written then has higher versions (I3).
	"load_balancing":           "in_order",
	"prefer_localhost_replica": 0,
	"use_hedged_requests":      0, // else a replica that is a little slow to answer is passed over
	// Without one of the shards there is no answer, since half of one would look like a whole one (I8).
	"skip_unavailable_shards": 0,
}

// cluster is how the migrations spread the tables.
func (c Config) cluster() schema.Cluster {
	return schema.Cluster{Name: c.Cluster, Database: c.Database, EachNode: c.EachNode}
}

// prepare is what is run before the migrations: the database, and on a replicated cluster goose's table too, since goose
// would make one that only one server has. All servers are replicas of it, so that each knows what was run.
func (c Config) prepare() []string {
	database := quoteIdentifier(c.Database)
	if c.Cluster == "" || c.EachNode {
		return []string{"CREATE DATABASE IF NOT EXISTS " + database}
	}
	on := c.cluster().On()
	return []string{
		"CREATE DATABASE IF NOT EXISTS " + database + on,
		"CREATE TABLE IF NOT EXISTS " + database + ".goose_db_version" + on + `
(
    version_id Int64,
    is_applied UInt8,
    date Date DEFAULT now(),
    tstamp DateTime DEFAULT now()
)
ENGINE = ReplicatedMergeTree(` + schema.Quote("/clickhouse/tables/"+c.Cluster+"/{database}/{table}") + `, '{shard}-{replica}')
ORDER BY version_id`,
	}
}

// nodes are the configurations through which all tables are created: one, but with EachNode.
func (c Config) nodes() []Config {
	if c.Cluster == "" || !c.EachNode {
		return []Config{c}
	}
	nodes := make([]Config, len(c.Addr))
	for i, addr := range c.Addr {
		nodes[i] = c
		nodes[i].Addr = []string{addr}
	}
	return nodes
}

// distributed finds the cluster in the engine of a Distributed table, as the server shows it.
var distributed = regexp.MustCompile(`^Distributed\('([^']*)'`)

// checkLayout compares the tables that are there with clickhouse.cluster: CREATE … IF NOT EXISTS would pass over tables
// of the other kind without a word, and what is written to a cluster without the settings of one is not confirmed (I1).
// It also says whether prepare has been run.
func checkLayout(ctx context.Context, cfg Config, conn driver.Conn) (prepared bool, err error) {
	var orders, versions uint64
	var engine string
	err = conn.QueryRow(ctx, `SELECT countIf(name = 'order_rows'), countIf(name = 'goose_db_version'),
		maxIf(engine_full, name = 'order_rows') FROM system.tables WHERE database = ?`, cfg.Database).
		Scan(&orders, &versions, &engine)
	if err != nil || orders == 0 {
		return false, err
	}
	cluster := ""
	if m := distributed.FindStringSubmatch(engine); m != nil {
		cluster = m[1]
	}
	switch {
	case cluster == cfg.Cluster:
		return versions > 0, nil
	case cluster == "":
		return false, fmt.Errorf("its tables are those of one server, and clickhouse.cluster is %s: give another "+
			"clickhouse.database, and copy the rows as the README says under \"A cluster\"", cfg.Cluster)
	default:
		return false, fmt.Errorf("its tables are those of the cluster %s: set clickhouse.cluster: %[1]s", cluster)
	}
}
