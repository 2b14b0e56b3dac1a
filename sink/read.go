package sink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/ordersync/ordersync/schema"
)

// OpenToRead connects to tables that are there already and changes nothing, so that a user who may only read can do it.
// Tables that are missing, or older than this program knows them, are an error: half an answer would look like a whole
// one. Newer ones are fine, since migrations only add.
func OpenToRead(ctx context.Context, cfg Config) (*Sink, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	want, err := newestMigration()
	if err != nil {
		return nil, err
	}
	if err := compareVersion(ctx, cfg, want); err != nil {
		return nil, readError(err)
	}
	s, err := cfg.connect(ctx)
	return s, readError(err)
}

// makeTables is what to do where tables are missing or old.
const makeTables = "run `ordersync check` once as a user who may create tables, or start `ordersync run`"

// readRemedies take the place of remedies where nothing is to be written, by the server's codes.
var readRemedies = map[int32]string{
	60:  makeTables, // UNKNOWN_TABLE
	81:  makeTables, // UNKNOWN_DATABASE
	497: "grant the user SELECT on the database",
}

// readError gives an error the remedy that suits somebody who only reads.
func readError(err error) error {
	var connect *ConnectError
	var exception *clickhouse.Exception
	if errors.As(err, &connect) && errors.As(err, &exception) && readRemedies[exception.Code] != "" {
		connect.Hint = readRemedies[exception.Code]
	}
	return err
}

// compareVersion looks whether all migrations that this program knows were run. It connects without naming the database:
// the embedded server does not survive a connection to one that does not exist.
func compareVersion(ctx context.Context, cfg Config, want int64) (err error) {
	conn, err := clickhouse.Open(cfg.options(""))
	if err != nil {
		return connectError(cfg, "connect", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.Ping(ctx); err != nil {
		return connectError(cfg, "connect", err)
	}
	if _, err := checkLayout(ctx, cfg, conn); err != nil {
		return connectError(cfg, "look at database "+cfg.Database, err)
	}
	var have int64
	// The table is goose's; a migration that was undone has a row with is_applied = 0.
	err = conn.QueryRow(ctx, "SELECT toInt64(max(version_id)) FROM "+quoteIdentifier(cfg.Database)+
		".goose_db_version WHERE is_applied = 1").Scan(&have)
	if err == nil && have < want {
		err = fmt.Errorf("its tables are of version %d and this ordersync needs %d: %s", have, want, makeTables)
	}
	if err != nil {
		return connectError(cfg, "look at database "+cfg.Database, err)
	}
	return nil
}

// newestMigration is the number of the last file of migrations.
func newestMigration() (newest int64, err error) {
	err = fs.WalkDir(schema.Migrations, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		number, _, _ := strings.Cut(path.Base(name), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		newest = max(newest, n)
		return err
	})
	return newest, err
}
