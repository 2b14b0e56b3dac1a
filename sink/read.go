package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// OpenToRead connects to tables that are there already and changes nothing, so that a user who may only read can do it.
// Tables and views that are missing, or of another version than this program's, are an error: half an answer would look like
// a whole one.
func OpenToRead(ctx context.Context, cfg Config) (*Sink, error) {
	return cfg.open(ctx, openToRead)
}

func openToRead(ctx context.Context, cfg Config) (*Sink, error) {
	cfg.here = true
	plan, _, err := Look(ctx, cfg)
	if err != nil {
		return nil, readError(err)
	}
	// Comments, and the engine of a log, change no answer.
	if plan.Database || len(plan.Tables)+len(plan.Migrations)+len(plan.Views) > 0 {
		return nil, &ConnectError{Op: "look at database " + cfg.Database, Addr: strings.Join(cfg.Addr, ","),
			Hint:     makeTables,
			NoTables: plan.Database || slices.ContainsFunc(plan.Tables, func(name string) bool { return strings.HasPrefix(name, windowTable.name) }), Err: fmt.Errorf("it is not as this ordersync needs it: it has to %s", plan)}
	}
	s, err := cfg.connect(ctx)
	return s, readError(err)
}

// makeTables is what to do where tables are missing or old.
const makeTables = "run `ordersync migrate` as a user who may create tables"

// readRemedies take the place of remedies where nothing is to be written, by the server's codes.
var readRemedies = map[int32]string{
	60:  makeTables, // UNKNOWN_TABLE
	81:  makeTables, // UNKNOWN_DATABASE
	497: "grant the user SELECT on the database",
}

// readError returns an error the remedy that suits somebody who only reads.
func readError(err error) error {
	var connect *ConnectError
	var exception *clickhouse.Exception
	if errors.As(err, &connect) && errors.As(err, &exception) && readRemedies[exception.Code] != "" {
		connect.Hint = readRemedies[exception.Code]
	}
	return err
}
