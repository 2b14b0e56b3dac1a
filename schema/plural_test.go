package schema_test

import (
	"testing"

	"github.com/ordersync/ordersync/schema"
)

func TestPlural(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 list calls", 1: "1 list call", 2: "2 list calls", 999: "999 list calls", 1234567: "1,234,567 list calls", -1000: "-1,000 list calls"} {
		if got := schema.Plural(n, "list call"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
