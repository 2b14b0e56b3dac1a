package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Two endings of a view's name say that it is the view without this ending, read from states of then, so that nothing is written
// twice and both mean the same. AsOf is as of a moment, which is the one parameter of the view; AtClose is as of the moment at
// which the month of each row was last closed, and has the rows of closed months alone. Stored ends the name of a view that the
// server keeps as a table, and makes anew every so often.
const (
	AsOf    = "_as_of"
	AtClose = "_at_close"
	Stored  = "_stored"
)

// moment is the parameter of a view that is as of a moment.
const moment = "{moment:DateTime64(3, 'UTC')}"

// Parameters are values for the parameters of all views, with which the server can say what columns a view has.
func Parameters() map[string]string { return map[string]string{"moment": "2000-01-01 00:00:00"} }

// IsAsOf reports whether a view has to be called with a moment.
func (v View) IsAsOf() bool { return strings.HasSuffix(v.Name, AsOf) }

// IsStored reports whether a view is kept as a table.
func (v View) IsStored() bool { return strings.HasSuffix(v.Name, Stored) }

// Engine is what the server calls the kind of the view.
func (v View) Engine() string {
	if v.IsStored() {
		return "MaterializedView"
	}
	return "View"
}

// Base is the name of the view that v is as of a moment, or keeps; for any other view its own.
func (v View) Base() string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(v.Name, AsOf), AtClose), Stored)
}

// keptStates are the tables of current rows of which all states are kept: where those are, and the key of a row. The creation
// time is part of it, as in the tables: where the source corrects it, a tombstone is left at the place of before.
var keptStates = map[string]struct{ states, key string }{
	"order_rows":      {"order_versions", "account, owner_id, order_id, create_time"},
	"order_item_rows": {"order_item_versions", "account, owner_id, order_id, item_id, create_time"},
}

// reading is where a statement reads something.
var reading = regexp.MustCompile(`\b(FROM|JOIN) (\w+)\b( FINAL\b)?`)

// asOf returns the statement of a view with every table that it reads, itself or by other views, replaced by the states of the
// moment, where these are kept.
func asOf(views []View, name string) string {
	text, tables := expand(views, name, moment, "")
	switch {
	case tables["order_item_rows"]:
		text, _ = expand(views, name, moment, "items_since")
	case tables["order_rows"]:
		text, _ = expand(views, name, moment, "orders_since")
	}
	return text
}

// atClose is asOf for the moments of the closes. It refuses none: what was not known then was not part of the close.
func atClose(views []View, name string) string {
	text, _ := expand(views, name, closedAt(), "")
	return text
}

// expand does that for the moment at, an expression of SQL. What the rows of the statement come from, and not what it looks up
// beside them, refuses a moment before since, a column of history_since; empty refuses none. tables are those whose states it reads.
func expand(views []View, name, at, since string) (text string, tables map[string]bool) {
	named := func(name string) int { return slices.IndexFunc(views, func(v View) bool { return v.Name == name }) }
	statement := views[named(name)].Select
	tables = map[string]bool{}
	var b strings.Builder
	end := 0
	for _, m := range reading.FindAllStringSubmatchIndex(statement, -1) {
		word, of := statement[m[2]:m[3]], statement[m[4]:m[5]]
		before := statement[:m[0]]
		refuses := since
		if word != "FROM" || strings.Count(before, "(") != strings.Count(before, ")") {
			refuses = ""
		}
		inner := ""
		if keptStates[of].states != "" {
			tables[of] = true
			inner = statesAsOf(of, at, refuses)
		} else if named(of) >= 0 {
			made, reads := expand(views, of, at, refuses)
			maps.Copy(tables, reads)
			if len(reads) > 0 {
				inner = "(\n" + made + "\n)"
			}
		}
		if inner != "" {
			b.WriteString(statement[end:m[0]] + word + " " + inner)
			if !strings.HasPrefix(statement[m[1]:], " AS ") {
				b.WriteString(" AS " + of) // columns may be named by it
			}
			end = m[1]
		}
	}
	return b.String() + statement[end:], tables
}

// statesAsOf is a subquery with the rows of a table as they were received by the moment at: of each the newest state, if that is
// no tombstone. A condition on columns of the key reaches the tables, so that a month of a large warehouse takes little. The
// current rows are read as well, for the reason that order_history says; a row that is in both tables counts once (I9). With
// since, a moment before that is an error and not an empty result (I12); it is one of the accounts that are asked for alone.
func statesAsOf(table, at, since string) string {
	k := keptStates[table]
	versions := slices.IndexFunc(Tables(), func(t Table) bool { return t.Name == k.states })
	var columns []string
	for _, c := range Tables()[versions].Columns {
		columns = append(columns, c.Name)
	}
	list := strings.Join(columns, ", ")
	states := fmt.Sprintf(`(
    SELECT %[1]s
    FROM
    (
        SELECT %[1]s
        FROM (SELECT %[1]s FROM %[2]s UNION ALL SELECT %[1]s FROM %[3]s)
        WHERE fetched_at <= %[4]s
        ORDER BY version DESC
        LIMIT 1 BY %[5]s
    )
    WHERE is_deleted = 0
)`, list, k.states, table, at, k.key)
	if since == "" {
		return states
	}
	return fmt.Sprintf(`(
SELECT %s
FROM
%s AS state
INNER JOIN
(
    SELECT account
    FROM history_since
    WHERE throwIf(%[3]s > %[4]s,
        (
            SELECT 'of this moment not everything is known: history begins '
                || arrayStringConcat(groupArray('for account ' || account || ' at ' || toString(%[3]s) || ' UTC'), ', ')
                || '; ask for a later moment, or for other accounts (WHERE account = ...)'
            FROM history_since
            WHERE %[3]s > %[4]s
        )) = 0
) AS known USING (account)
)`, list, states, since, at)
}
