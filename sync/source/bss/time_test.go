package bss

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
)

func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("", 8*3600)
	start, end := wholeSeconds(vendortest.UTC("2024-01-01T00:00:00.9Z").In(east), vendortest.UTC("2024-01-01T01:00:00.000000001Z").In(east))
	if start != "2024-01-01T00:00:00Z" || end != "2024-01-01T01:00:01Z" {
		t.Errorf("%s, %s", start, end)
	}
	if _, end := wholeSeconds(time.Time{}, vendortest.UTC("2024-01-01T01:00:00Z")); end != "2024-01-01T01:00:00Z" {
		t.Error(end)
	}
}
