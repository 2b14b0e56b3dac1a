package app_test

import (
	"strings"
	"testing"
	"time"
)

// A clock that is not the vendor's is said once, and once when it is right again; the metric says it all the time.
func TestAWrongClockIsSaidOnce(t *testing.T) {
	t.Parallel()
	const wrong, right = "this machine's clock is not the vendor's; runs go by the vendor's", "this machine's clock agrees with the vendor's again"
	account, cfg := vendor(t)
	account.SetClock(-10 * time.Minute)
	log := newLines()
	a := newApp(t, cfg, log)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.wait(t, wrong, 1)
	log.wait(t, "tick", 3)
	if metrics := get(t, a.URL()+"/metrics"); !strings.Contains(metrics, `ordersync_clock_offset_seconds{account="main"} -`) {
		t.Error(metrics)
	}
	account.SetClock(0)
	log.wait(t, right, 1)
	if n := log.count(wrong); n != 1 {
		t.Errorf("it was said %d times", n)
	}
	waitMetric(t, a, `ordersync_clock_offset_seconds{account="main"} 0`)
}
