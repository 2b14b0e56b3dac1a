package bss

import (
	"time"

	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// wholeSeconds returns the ends of an interval as the vendor takes them. The interval only ever grows by this.
func wholeSeconds(start, end time.Time) (string, string) {
	if r := end.Truncate(time.Second); !r.Equal(end) {
		end = r.Add(time.Second)
	}
	return start.UTC().Format(wire.Timestamp), end.UTC().Format(wire.Timestamp)
}
