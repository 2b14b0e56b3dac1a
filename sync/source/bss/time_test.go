package bss

import (
	"testing"
	"time"
)

func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("", 8*3600)
	start, end := wholeSeconds(utc("2024-01-01T00:00:00.9Z").In(east), utc("2024-01-01T01:00:00.000000001Z").In(east))
	if start != "2024-01-01T00:00:00Z" || end != "2024-01-01T01:00:01Z" {
		t.Errorf("%s, %s", start, end)
	}
	if _, end := wholeSeconds(time.Time{}, utc("2024-01-01T01:00:00Z")); end != "2024-01-01T01:00:00Z" {
		t.Error(end)
	}
}
