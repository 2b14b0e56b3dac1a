package schema

// Pinned is the SETTINGS clause of each view.
func Pinned() string { return "SETTINGS do_not_merge_across_partitions_select_final = 1" }
