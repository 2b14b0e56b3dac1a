package sink

import (
	"github.com/ClickHouse/clickhouse-go/v2"

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

// reporting is what the views are made for.
func (c Config) reporting() schema.Reporting {
	return schema.Reporting{Timezone: c.Timezone, Refresh: c.Refresh}
}

// prepare is what is run before the migrations: the database, and goose's table with the mark of ours. On a replicated
// cluster all servers are replicas of that table, so that each knows what was run; goose would make one that only one
// server has.
func (c Config) prepare() []string {
	database, on, engine := quoteIdentifier(c.Database), c.cluster().On(), "MergeTree"
	if on != "" {
		engine = "ReplicatedMergeTree(" + schema.Quote("/clickhouse/tables/"+c.Cluster+"/{database}/{table}") + ", '{shard}-{replica}')"
	}
	return []string{
		"CREATE DATABASE IF NOT EXISTS " + database + on,
		"CREATE TABLE IF NOT EXISTS " + database + "." + schema.VersionTable + on + `
(
    version_id Int64,
    is_applied UInt8,
    date Date DEFAULT now(),
    tstamp DateTime DEFAULT now()
)
ENGINE = ` + engine + `
ORDER BY (version_id)
COMMENT ` + schema.Quote(schema.VersionComment+schema.Mark),
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
