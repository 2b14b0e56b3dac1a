package sink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v4"
	"github.com/pressly/goose/v3"

	"github.com/ordersync/ordersync/schema"
)

// migrationTries bounds how often a migration that lost a race is run again.
const migrationTries = 8

// migrate brings the tables up to date. ClickHouse has no lock that two processes could share, so the migrations are
// written to be harmless when they run twice (IF NOT EXISTS, CREATE OR REPLACE VIEW). What can still happen is that one
// process replaces a view at the very moment at which another does; the one that lost runs again and finds it done.
func migrate(ctx context.Context, cfg Config) (err error) {
	var migrations fs.FS = schema.Migrations
	if cfg.Cluster != "" {
		migrations = cfg.cluster().Migrations()
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := clickhouse.OpenDB(cfg.options(cfg.Database))
	defer func() { err = errors.Join(err, db.Close()) }()

	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(20*time.Millisecond), backoff.WithMaxElapsedTime(0))
	return backoff.Retry(func() error {
		// A provider creates the version table only once in its life, so each try takes a new one.
		provider, err := goose.NewProvider(goose.DialectClickHouse, db, files,
			// Two processes may record their versions in any order.
			goose.WithAllowOutofOrder(true), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return backoff.Permanent(err)
		}
		if _, err := provider.Up(ctx); err != nil {
			err = fmt.Errorf("migrate: %w", err)
			if !lostRace(err) {
				return backoff.Permanent(err)
			}
			return err
		}
		return nil
	}, backoff.WithContext(backoff.WithMaxRetries(wait, migrationTries), ctx))
}

// lostRace reports whether a migration failed only because another process made the same change at the same time.
func lostRace(err error) bool {
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) {
		return false
	}
	switch exception.Code {
	case 57, // TABLE_ALREADY_EXISTS: the other one created it first
		60,  // UNKNOWN_TABLE: the other one exchanged the view that was to be replaced
		473: // DEADLOCK_AVOIDED: both wait for the same table
		return true
	}
	return false
}
