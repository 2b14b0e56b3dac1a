package cli_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
)

// What is known of how the accounts stand is the same in check, after a backfill and in status, and check ends in one line.
func TestGlanceInCheckAndAfterBackfill(t *testing.T) {
	t.Parallel()
	type accounts struct {
		OK       bool
		Accounts []struct{ Diagnosis diagnosis.Diagnosis }
	}
	table := regexp.MustCompile(`(?m)^account +state +since +behind \(usual\) +whole until +compared +today +rejects\nmain +(\S+) .*\n  (.*)$`)
	w := newWorld(t, 20)
	w.configureNew()
	out := w.run(0, "check").out
	if table.MatchString(out) || !strings.HasPrefix(lastLine(out), "all is in place: ") {
		t.Errorf("there is no table to tell from:\n%s", out)
	}
	contains(t, w.run(0, "check", "--json").out, `"accounts": []`)
	filled := w.run(0, "backfill", "--from", "-4h").out
	checked := w.run(0, "check").out
	if !strings.HasPrefix(lastLine(checked), "all is in place: ") {
		t.Errorf("no summary at the end:\n%s", checked)
	}
	said := table.FindStringSubmatch(w.run(0, "status").out)
	for _, text := range []string{filled, checked} {
		if m := table.FindStringSubmatch(text); len(said) == 0 || len(m) == 0 || m[1] != said[1] || m[2] != said[2] {
			t.Errorf("%q instead of %q:\n%s", m, said, text)
		}
		for _, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "main ") && len(line) > 80 {
				t.Errorf("too wide: %s", line)
			}
		}
	}
	w.configureAgain("${TEST_SECRET}", "another")
	w.run(3, "backfill", "--from", "-8h")
	byCheck, byStatus := decode[accounts](t, w.run(3, "check", "--json").out), decode[accounts](t, w.run(1, "status", "--json").out)
	if len(byCheck.Accounts) != 1 || byCheck.OK || byCheck.Accounts[0].Diagnosis.Says != byStatus.Accounts[0].Diagnosis.Says ||
		byCheck.Accounts[0].Diagnosis.Cure != byStatus.Accounts[0].Diagnosis.Cure || byCheck.Accounts[0].Diagnosis.Cause != diagnosis.Credentials {
		t.Errorf("%+v\n%+v", byCheck, byStatus)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
