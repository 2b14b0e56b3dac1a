package sink

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/schema"
)

// The tags of a row's struct are the columns that the migrations give its table: none is left out and none is too many.
// What the server computes is not sent.
func TestRowsAreTheirTables(t *testing.T) {
	t.Parallel()
	computed := map[string][]string{"reject_rows": {"payload"}, "operators": {"updated_at"}}
	tables := map[string]schema.Table{}
	for _, table := range schema.Tables() {
		tables[table.Name] = table
	}
	for name, fields := range map[string][]schema.Field{
		orderTable.name: orderTable.columns, itemTable.name: itemTable.columns, windowTable.name: windowTable.columns,
		rejectTable.name: rejectTable.columns, acceptanceTable.name: acceptanceTable.columns, productTable.name: productTable.columns,
		runTable.name: runTable.columns, verificationTable.name: verificationTable.columns, findingTable.name: findingTable.columns,
		trackedTable.name: trackedTable.columns, checkTable.name: checkTable.columns, rejectStateTable.name: rejectStateTable.columns, operatorTable.name: operatorTable.columns, cancellationTable.name: cancellationTable.columns,
		closeTable.name: closeTable.columns,
	} {
		types := map[string]string{}
		var got []string
		for _, c := range tables[name].Columns {
			types[c.Name] = c.Type
		}
		want := tables[name].Names()
		want = slices.DeleteFunc(want, func(column string) bool { return slices.Contains(computed[name], column) })
		for _, f := range fields {
			got = append(got, f.Name)
			if declared, ok := types[f.Name]; ok && declared != f.Type {
				t.Errorf("%s.%s is a %s, and its field a %s", name, f.Name, declared, f.Type)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the columns of the migrations (-) and of the struct (+):\n%s", name, diff)
		}
	}
}
