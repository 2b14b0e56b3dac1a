package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// AsOf ends the name of a view that answers as of a moment, which is its one parameter. It is the statement of the view without
// that ending, read from states of then, so that nothing is written twice and both mean the same.
const AsOf = "_as_of"

// moment is the parameter of such a view.
const moment = "{moment:DateTime64(3, 'UTC')}"

// Parameters are values for the parameters of all views, with which the server can say what columns a view has.
func Parameters() map[string]string { return map[string]string{"moment": "2000-01-01 00:00:00"} }

// IsAsOf reports whether a view has to be called with a moment.
func (v View) IsAsOf() bool { return strings.HasSuffix(v.Name, AsOf) }

// Base is the name of the view that v is as of a moment; for any other view its own.
func (v View) Base() string { return strings.TrimSuffix(v.Name, AsOf) }

// keptStates are the tables of current rows of which all states are kept: where those are, and the key of a row.
var keptStates = map[string]struct{ states, key string }{
	"order_rows":      {"order_versions", "account, owner_id, order_id"},
	"order_item_rows": {"order_item_versions", "account, owner_id, order_id, item_id"},
}

// reading is where a statement reads something.
var reading = regexp.MustCompile(`\b(FROM|JOIN) (\w+)\b( FINAL\b)?`)

// asOf returns the statement of a view with every table that it reads, itself or by other views, replaced by the states of the
// moment, where these are kept.
func asOf(views []View, name string) string {
	text, tables := expand(views, name, "")
	switch {
	case tables["order_item_rows"]:
		text, _ = expand(views, name, "items_since")
	case tables["order_rows"]:
		text, _ = expand(views, name, "orders_since")
	}
	return text
}

// expand does that. What the rows of the statement come from, and not what it looks up beside them, refuses a moment before
// since, a column of history_since; empty refuses none. tables are those whose states it reads.
func expand(views []View, name, since string) (text string, tables map[string]bool) {
	named := func(name string) int { return slices.IndexFunc(views, func(v View) bool { return v.Name == name }) }
	statement := views[named(name)].Select
	tables = map[string]bool{}
	var b strings.Builder
	end := 0
	for _, at := range reading.FindAllStringSubmatchIndex(statement, -1) {
		word, of := statement[at[2]:at[3]], statement[at[4]:at[5]]
		before := statement[:at[0]]
		refuses := since
		if word != "FROM" || strings.Count(before, "(") != strings.Count(before, ")") {
			refuses = ""
		}
		inner := ""
		if keptStates[of].states != "" {
			tables[of] = true
			inner = statesAsOf(of, refuses)
		} else if named(of) >= 0 {
			made, reads := expand(views, of, refuses)
			maps.Copy(tables, reads)
			if len(reads) > 0 {
				inner = "(\n" + made + "\n)"
			}
		}
		if inner != "" {
			b.WriteString(statement[end:at[0]] + word + " " + inner)
			if !strings.HasPrefix(statement[at[1]:], " AS ") {
				b.WriteString(" AS " + of) // columns may be named by it
			}
			end = at[1]
		}
	}
	return b.String() + statement[end:], tables
}

// statesAsOf is a subquery with the rows of a table as they were received by the moment: of each the newest state, if that is no
// tombstone. The current rows are read as well, for the reason that order_history says; a row that is in both tables counts
// once (I9). With since, a moment before that is an error and not an empty result (I12); it is one of the accounts that are
// asked for alone, because a condition on the account reaches the aggregation below it.
func statesAsOf(table, since string) string {
	k := keptStates[table]
	at := slices.IndexFunc(Tables(), func(t Table) bool { return t.Name == k.states })
	var columns []string
	for _, c := range Tables()[at].Columns {
		columns = append(columns, c.Name)
	}
	both := func(columns string) string {
		return fmt.Sprintf("(SELECT %s FROM %s UNION ALL SELECT %[1]s FROM %[3]s)", columns, k.states, table)
	}
	list := strings.Join(columns, ", ")
	states := fmt.Sprintf(`(
    SELECT %[1]s
    FROM %[2]s
    WHERE is_deleted = 0 AND (%[3]s, version) GLOBAL IN
        (SELECT %[3]s, max(version) FROM %[4]s WHERE fetched_at <= %[5]s GROUP BY %[3]s)
    LIMIT 1 BY %[3]s
)`, list, both(list), k.key, both(k.key+", version, fetched_at"), moment)
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
)`, list, states, since, moment)
}
