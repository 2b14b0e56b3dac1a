package sink

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/ordersync/ordersync/schema"
)

var clusterSettings = clickhouse.Settings{
	"distributed_foreground_insert": 1,
	"prefer_localhost_replica":      0,
	"load_balancing":                "in_order",
	"skip_unavailable_shards":       0,
}

func checkLayout(ctx context.Context, cfg Config, conn driver.Conn) error { return nil }

func (c Config) cluster() schema.Cluster {
	return schema.Cluster{Name: c.Cluster, Database: c.Database, EachNode: c.EachNode}
}

var _ = fmt.Sprint
