package sink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v4"
	"github.com/pressly/goose/v3"

	"github.com/ordersync/ordersync/schema"
)

// migrationTries bounds how often the warehouse is looked at anew, after a change or a lost race.
const migrationTries = 12

// migrate brings tables and views up to date: it looks what is there, makes what is missing and looks again, until
// nothing is left to do. ClickHouse has no lock that two processes could share, so each step does no harm when it is done
// twice, and none replaces what was not seen to be ours (I13). A step that failed because another process took it at the
// same moment is found done by the next look. It returns what the first look found to do.
func migrate(ctx context.Context, cfg Config) (made *Plan, err error) {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(20*time.Millisecond), backoff.WithMaxElapsedTime(0))
	op := "make the tables of database " + cfg.Database
	for tries := 0; ; tries++ {
		nodes, err := lookAtAll(ctx, cfg)
		if err != nil {
			return nil, err
		}
		plan := planOf(nodes)
		if made == nil {
			made = plan
		}
		if plan.Empty() {
			return made, nil
		}
		if tries == migrationTries {
			return nil, connectError(cfg, op, fmt.Errorf("this is left to do after %d tries: %s: check that the user may see and "+
				"change all of the database", tries, plan))
		}
		// A view of a cluster reads the tables of all servers, so these come first.
		for _, step := range []func(*found) error{
			func(f *found) error { return f.makeTables(ctx, f.plan()) },
			func(f *found) error { return f.makeViews(ctx, f.plan()) },
		} {
			for _, f := range nodes {
				if err == nil {
					err = step(f)
				}
			}
		}
		switch {
		case err == nil:
		case !lostRace(err):
			return nil, connectError(cfg, op, err)
		default:
			select {
			case <-time.After(wait.NextBackOff()):
			case <-ctx.Done():
				return nil, connectError(cfg, op, context.Cause(ctx))
			}
		}
	}
}

// makeTables does what the plan says of the tables.
func (f *found) makeTables(ctx context.Context, plan *Plan) (err error) {
	if plan.Empty() {
		return nil
	}
	if err := f.prepare(ctx); err != nil {
		return err
	}
	conn, err := clickhouse.Open(f.cfg.options(f.cfg.Database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if len(plan.Tables) > 0 && len(f.versions) > 0 {
		// These tables were made once and are gone: the statements that make them are run again, whatever goose thinks.
		// A migration that was not run yet may change them, so they come first.
		if err := f.goose(ctx, plan.Tables...); err != nil {
			return err
		}
	}
	if len(plan.Migrations) > 0 {
		if err := f.goose(ctx); err != nil {
			return err
		}
	}
	if len(plan.Engines) > 0 {
		if err := f.renew(ctx, conn); err != nil {
			return err
		}
	}
	for _, t := range schema.Tables() {
		for _, name := range f.forms(t) {
			if slices.Contains(plan.Comments, name) {
				if err := f.correct(ctx, conn, t, name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// makeViews does what the plan says of the views.
func (f *found) makeViews(ctx context.Context, plan *Plan) (err error) {
	if len(plan.Views)+len(plan.Drops) == 0 && !f.adopting {
		return nil
	}
	conn, err := clickhouse.Open(f.cfg.options(f.cfg.Database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, v := range schema.Views() {
		if slices.Contains(plan.Views, v.Name) {
			if err := f.make(ctx, conn, v); err != nil {
				return fmt.Errorf("view %s: %w", v.Name, err)
			}
		}
		if slices.Contains(plan.Drops, v.Name) { // ours, and made of others
			if err := conn.Exec(ctx, "DROP VIEW IF EXISTS "+v.Name+f.cfg.cluster().On()+" SYNC"); err != nil {
				return err
			}
		}
	}
	if !f.adopting {
		return nil
	}
	// This ends the adoption of a warehouse without marks, so it comes last.
	return conn.Exec(ctx, "ALTER TABLE "+schema.VersionTable+f.cfg.cluster().On()+" MODIFY COMMENT "+
		schema.Quote(schema.VersionComment+schema.Mark))
}

// prepare makes the database and goose's table. On a replicated cluster all servers are replicas of that table, so that
// each knows what was run.
func (f *found) prepare(ctx context.Context) (err error) {
	conn, err := clickhouse.Open(f.cfg.options(""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, statement := range f.cfg.prepare() {
		if err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// goose runs the migrations that were not run yet; or, with names of tables, what makes these tables in all of them.
func (f *found) goose(ctx context.Context, only ...string) (err error) {
	files, err := fs.Sub(f.cfg.cluster().Migrations(only...), "migrations")
	if err != nil {
		return err
	}
	db := clickhouse.OpenDB(f.cfg.options(f.cfg.Database))
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, files,
		// Two processes may record their versions in any order.
		goose.WithAllowOutofOrder(true), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()),
		goose.WithDisableVersioning(len(only) > 0))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// correct returns a table and its columns the comments that they should have.
func (f *found) correct(ctx context.Context, conn driver.Conn, t schema.Table, name string) error {
	var changes []string
	for _, objects := range f.nodes {
		if o := objects[name]; o != nil {
			changes = append(changes, f.corrections(t, o)...)
		}
	}
	slices.Sort(changes)
	return conn.Exec(ctx, "ALTER TABLE "+name+f.cfg.cluster().On()+" "+strings.Join(slices.Compact(changes), ", "))
}

// make makes a view, or replaces it where it is ours.
func (f *found) make(ctx context.Context, conn driver.Conn, v schema.View) error {
	var columns []schema.Column
	compact := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"describe_compact_output": 1}),
		clickhouse.WithParameters(schema.Parameters()))
	err := each(compact, conn, "DESCRIBE TABLE ("+v.Query(f.cfg.Timezone)+")", nil, func(rows driver.Rows) error {
		var c schema.Column
		err := rows.Scan(&c.Name, &c.Type)
		columns = append(columns, c)
		return err
	})
	if err != nil {
		return err
	}
	// What was seen to be ours may have been dropped since, and something else may have its name now.
	replace := false
	err = each(ctx, conn, "SELECT engine, comment FROM "+f.everywhere("tables")+" WHERE database = ? AND name = ?",
		[]any{f.cfg.Database, v.Name}, func(rows driver.Rows) error {
			var o object
			err := rows.Scan(&o.engine, &o.comment)
			replace = true
			if err == nil && !slices.ContainsFunc(f.objects(v.Name), func(seen *object) bool {
				return seen.engine == o.engine && seen.comment == o.comment
			}) {
				return errChanged
			}
			return err
		})
	if err != nil {
		return err
	}
	if err := conn.Exec(ctx, v.Create(f.cfg.cluster(), f.cfg.reporting(), columns, replace)); err != nil || !v.IsStored() {
		return err
	}
	return f.fillView(ctx, conn, v.Name)
}

// errChanged says that the warehouse is not what the look has seen: another process changes it.
var errChanged = errors.New("it was changed meanwhile")

// objects are those of one name, on all servers.
func (f *found) objects(name string) (out []*object) {
	for _, objects := range f.nodes {
		if o := objects[name]; o != nil {
			out = append(out, o)
		}
	}
	return out
}

// The table whose engine was another once, and the name under which its rows wait while it is made anew.
const (
	renewed = "sync_verifications"
	former  = "sync_verifications_former"
)

// renew returns sync_verifications the engine that it has in a new warehouse, which no ALTER can do: the table is put aside,
// made anew and filled from the one put aside. The looks before and in between find out what was done already, so that a
// process that is killed is continued by the next.
func (f *found) renew(ctx context.Context, conn driver.Conn) error {
	if old := f.objects(former); len(old) == 0 {
		for _, statement := range []string{
			"ALTER TABLE " + renewed + " MODIFY COMMENT " + schema.Quote("Is being copied to "+renewed+schema.Mark),
			"RENAME TABLE " + renewed + " TO " + former,
		} {
			if err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil // the next look sees it
	}
	if err := f.goose(ctx, renewed); err != nil {
		return err
	}
	var columns []string
	for _, c := range f.objects(former)[0].columns {
		columns = append(columns, c.Name)
	}
	list := strings.Join(columns, ", ")
	if err := conn.Exec(ctx, "INSERT INTO "+renewed+" ("+list+") SELECT "+list+" FROM "+former); err != nil {
		return err
	}
	return conn.Exec(ctx, "DROP TABLE "+former) // ours, and all of its rows are in the new one
}

// lostRace reports whether a step failed only because another process made the same change at the same time.
func lostRace(err error) bool {
	if errors.Is(err, errChanged) {
		return true
	}
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) {
		return false
	}
	switch exception.Code {
	case 57, // TABLE_ALREADY_EXISTS: the other one created it first
		60,  // UNKNOWN_TABLE: the other one exchanged the view that was to be replaced, or dropped what was copied
		473, // DEADLOCK_AVOIDED: both wait for the same table
		517: // CANNOT_ASSIGN_ALTER: both change the same table
		return true
	}
	return false
}
