package cli_test

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/sink/sinktest"
)

// A second daemon on the same warehouse makes no call while the first one lives, and takes over within a minute after that
// was killed, without a chance to give anything back.
func TestCrashOfTheLeader(t *testing.T) {
	t.Parallel()
	sinktest.Slow(t, "takes a minute")
	w := newWorld(t, 100)
	w.configure()
	first := w.start("run")
	first.wait(`"msg":"tick"`)
	second := w.start("run")
	contains(t, second.wait("standing by"), `"account":"main"`, `"daemon":`)
	first.wait(`"msg":"tick"`)
	first.wait(`"msg":"tick"`)
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	w.account.ResetCounters()
	second.wait("this one takes over")
	if n := w.account.Calls()["QueryOrders"].Total; n > 1 {
		t.Errorf("%d calls before it took over", n)
	}
	second.wait(`"msg":"tick"`)
	if took := time.Since(killed); took > time.Minute {
		t.Errorf("it took over after %s", took)
	}
	// One that is started again on the machine of the dead does not wait for the claims of the dead.
	if err := second.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second.exit()
	killed = time.Now()
	third := w.start("run")
	third.wait(`"msg":"tick"`)
	if took := time.Since(killed); took > 20*time.Second {
		t.Errorf("a daemon that was started again waited for %s", took)
	}
}
