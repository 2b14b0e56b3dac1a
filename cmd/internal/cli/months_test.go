package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/sync/simulator"
)

type exported struct {
	Written, Skipped []struct{ Month, File string }
	Refused          []struct {
		Month   string
		Reasons []string
	}
}

// Months that are over and whole are written once; what is not whole is refused by its name, until it is.
func TestExport(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	year, number, _ := time.Now().In(zone).Date()
	beginning := func(month int) time.Time { return time.Date(year, number+time.Month(month), 1, 0, 0, 0, 0, zone) }
	name := func(month int) string { return beginning(month).Format("2006-01") }
	if time.Since(beginning(0)) < time.Hour {
		t.Skip("the last window of the month before is open still")
	}
	from := beginning(-2).UTC().Truncate(time.Hour) // a window that is in two months
	w := newWorldWith(t, simulator.Options{Orders: 600, From: from})
	w.configure(`"@every 1s"}`, `"@every 1s"}`+"\nreporting: {timezone: Asia/Kolkata}")
	w.run(0, "migrate")
	contains(t, w.run(0, "export", "--every", "month", "--to", "out").out, "0 months written")

	gap := beginning(-1).Add(9 * 24 * time.Hour).UTC().Truncate(time.Hour)
	w.run(0, "backfill", "--from", from.Format(time.RFC3339), "--to", gap.Format(time.RFC3339))
	got := decode[exported](t, w.run(1, "export", "--every", "month", "--to", "out/deep", "--from", name(-2), "--json").out)
	if len(got.Written) != 1 || got.Written[0].File != "spend-"+name(-2)+".parquet" || len(got.Skipped) != 0 || len(got.Refused) != 1 || got.Refused[0].Month != name(-1) {
		t.Fatalf("%+v", got)
	}
	_, command, _ := strings.Cut(got.Refused[0].Reasons[0], "run `ordersync ")
	command, _, _ = strings.Cut(command, "`")
	// In this zone months begin in the middle of a window.
	if want := "backfill --from " + gap.Format(time.RFC3339) + " --to " + beginning(0).UTC().Format(time.RFC3339) + " --account main"; command != want {
		t.Errorf("%q instead of %q", command, want)
	}
	// The month before is not whole either: it was never to be copied, and --from leaves it out.
	contains(t, w.run(1, "export", "--to", "out/deep").out, "refused  "+name(-3)+"  main: the window of ", "skipped  "+name(-2), "0 months written, 1 skipped, 2 refused (Asia/Kolkata)")

	w.run(0, strings.Fields(command)...)
	before, err := os.Stat(filepath.Join(w.dir, "out/deep", got.Written[0].File))
	if err != nil {
		t.Fatal(err)
	}
	got = decode[exported](t, w.run(0, "export", "--every", "month", "--to", "out/deep", "--from", name(-2), "--json").out)
	if len(got.Written) != 1 || got.Written[0].Month != name(-1) || len(got.Skipped) != 1 || len(got.Refused) != 0 {
		t.Fatalf("%+v", got)
	}
	if after, err := os.Stat(filepath.Join(w.dir, "out/deep", got.Skipped[0].File)); err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
		t.Errorf("%s was written again: %v", got.Skipped[0].File, err)
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "out/deep/*"))
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	for _, m := range append(got.Written, got.Skipped...) {
		w.back(w.httpLogin(), filepath.Join("out/deep", m.File), "Parquet", "back")
	}
	months := "spend WHERE month IN ('" + name(-1) + "-01', '" + name(-2) + "-01')"
	same := w.run(0, "sql", "--format", "TSV", `SELECT (SELECT count() FROM (SELECT * FROM `+months+` EXCEPT SELECT * FROM back)) + (SELECT count() FROM (SELECT * FROM back EXCEPT SELECT * FROM spend)),
		count() > 300 AND count() = (SELECT count() FROM back) FROM `+months).out
	if d := gocmp.Diff("0\t1\n", same); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	contains(t, w.run(2, "export", "--every", "week", "--to", "out").err, "--every week")
	contains(t, w.run(2, "export", "--every", "month").err, "--to is required")
	contains(t, w.run(2, "export", "--to", "out", "--from", "2026-13").err, "--from: \"2026-13\"")
	contains(t, w.run(0, "export", "--to", "out", "--from", "this-month").out, "0 months written")
	contains(t, w.run(1, "export", "--to", "ordersync.yaml", "--from", name(-1)).err, "ordersync.yaml")
}
