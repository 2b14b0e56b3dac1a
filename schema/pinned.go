package schema

import (
	"fmt"
	"maps"
	"strings"
)

// pin is a setting of ClickHouse that can change an answer, with the value that queries and views of ours are written for.
type pin struct {
	name  string
	value any // string or int
	// view says that views have it too, in their SELECT: whatever the profile of the user who reads them says, they answer
	// the same. A setting that only means the query as a whole (its limit, its result) cannot be had there; nor can the
	// analyzer, which a part of a query must share with the whole.
	view bool
	why  string
}

// pins are the settings of a server by which answers differ. They were found by a run of all views with each setting of
// system.settings turned over, which a slow test repeats; those that only refuse a query, such as limits of what may be
// read, are left to whoever set them.
var pins = []pin{
	{"do_not_merge_across_partitions_select_final", 1, true, "all versions of a row share a partition: FINAL need not look across"},
	{"final", 0, true, "what is read with FINAL says so; order_versions is read without in places"},
	{"join_use_nulls", 0, true, "what has no partner in a LEFT JOIN is empty or 0, and its type stays"},
	{"join_default_strictness", "ALL", true, "a join without a word of strictness gives each pair of rows"},
	{"any_join_distinct_right_table_keys", 0, true, "the former meaning of ANY JOIN"},
	{"single_join_prefer_left_table", 1, true, "a name that both sides of a join have is that of the left one"},
	{"transform_null_in", 0, true, "NULL is in no set"},
	{"group_by_use_nulls", 0, true, "keys of a grouping set that is not theirs are empty, and their type stays"},
	{"aggregate_functions_null_for_empty", 0, true, "the sum of nothing is 0, and its type stays"},
	{"empty_result_for_aggregation_by_empty_set", 0, true, "a count of nothing is a row"},
	{"prefer_column_name_to_alias", 0, true, "a name in a query is what the query says first, then a column"},
	{"decimal_check_overflow", 1, true, "an amount that does not fit is an error, and no other amount"},
	{"enable_named_columns_in_function_tuple", 0, true, "a tuple is cast by the place of its parts, and not by their names"},
	{"enable_analyzer", 1, false, "the older one refuses two of the views"},
	{"enable_global_with_statement", 1, false, "WITH holds in parts of a query too"},
	{"union_default_mode", "", false, "a UNION without a word is a mistake"},
	{"count_distinct_implementation", "uniqExact", false, "distinct values are counted, not estimated"},
	{"asterisk_include_materialized_columns", 0, false, "* is the columns that can be inserted"},
	{"asterisk_include_alias_columns", 0, false, "* is the columns that can be inserted"},
	{"session_timezone", "UTC", false, "times without a zone are UTC (I5)"},
	{"limit", 0, false, "no result is cut off behind the back of its query"},
	{"offset", 0, false, "no result is cut off behind the back of its query"},
	{"additional_result_filter", "", false, "no row of a result is left out behind the back of its query"},
	{"additional_table_filters", "{}", false, "no row of a table is left out behind the back of its query"},
	{"read_overflow_mode", "throw", true, "half of an answer is an error"},
	{"read_overflow_mode_leaf", "throw", true, "half of an answer is an error"},
	{"timeout_overflow_mode_leaf", "throw", true, "half of an answer is an error"},
	{"result_overflow_mode", "throw", false, "half of an answer is an error"},
	{"group_by_overflow_mode", "throw", true, "half of an answer is an error"},
	{"sort_overflow_mode", "throw", true, "half of an answer is an error"},
	{"set_overflow_mode", "throw", true, "half of an answer is an error"},
	{"join_overflow_mode", "throw", true, "half of an answer is an error"},
	{"distinct_overflow_mode", "throw", true, "half of an answer is an error"},
	{"transfer_overflow_mode", "throw", true, "half of an answer is an error"},
	{"timeout_overflow_mode", "throw", true, "half of an answer is an error"},
	{"extremes", 0, false, "a result has no rows but its own"},
	{"use_query_cache", 0, false, "an answer is of now"},
	{"output_format_decimal_trailing_zeros", 0, false, "amounts as text are the shortest"},
	{"date_time_output_format", "simple", false, "times as text are as they always were"},
}

// Pinned is the SETTINGS clause of each view.
func Pinned() string {
	var list []string
	for _, p := range pins {
		if !p.view {
			continue
		}
		value := fmt.Sprint(p.value)
		if text, ok := p.value.(string); ok {
			value = Quote(text)
		}
		list = append(list, p.name+" = "+value)
	}
	return "SETTINGS " + strings.Join(list, ", ")
}

// ConnectionSettings are the settings of each connection of the program's own, which pin what its queries mean whatever the
// profile of its user says. With them go those given.
func ConnectionSettings(more map[string]any) map[string]any {
	out := map[string]any{}
	for _, p := range pins {
		out[p.name] = p.value
	}
	delete(out, "do_not_merge_across_partitions_select_final") // where it is right, the query says so
	maps.Copy(out, more)
	return out
}
