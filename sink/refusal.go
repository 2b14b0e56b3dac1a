package sink

import (
	"context"
	"fmt"
)

// leastFree is how many bytes a disk of the server must have free: an insert with its merges takes some hundred megabytes.
const leastFree = 512 << 20

// refusals are why a server that answers takes no rows, each with a query that says in one text what is wrong, or nothing. A
// server that does not know what is asked, or does not let us know it, says nothing by that.
var refusals = []struct{ query, remedy string }{
	{"SELECT if(getSetting('readonly') != 0, concat('the user ', currentUser(), ' may only read'), '')", "set readonly = 0 in its profile"},
	{"SELECT if(count() > 0, concat(toString(count()), ' tables are read-only replicas: ', any(zookeeper_exception)), '') FROM system.replicas " +
		"WHERE database = currentDatabase() AND is_readonly", "look at the server's Keeper"},
	{fmt.Sprintf("SELECT if(count() > 0, concat('disk ', any(name), ' has ', formatReadableSize(any(free_space)), ' free'), '') FROM system.disks "+
		"WHERE free_space < %d AND (total_space > free_space OR keep_free_space > 0) AND name IN (SELECT arrayJoin(disks) FROM system.storage_policies)", leastFree), "make room on it"},
}

// Refusal says why the server would take no rows, and what to do about it, without writing any; both are empty where it knows
// of nothing. It asks the server of one connection only.
func (s *Sink) Refusal(ctx context.Context) (why, remedy string) {
	for _, r := range refusals {
		if err := s.row(ctx, r.query, nil, &why); err == nil && why != "" {
			return why, r.remedy
		}
	}
	var granted uint8
	if err := s.row(ctx, "CHECK GRANT INSERT ON sync_run_rows", nil, &granted); err == nil && granted == 0 {
		return "the user may not insert rows", "`ordersync grants` prints what the owner of the warehouse needs"
	}
	return "", ""
}
