package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// What a spreadsheet makes of ids is refused with its line and its remedy, before anything is tracked; what its files have
// around ids that are whole is not.
func TestIDsOfASpreadsheet(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 12})
	w.configure()
	ids := w.account.IDs(time.Time{}, time.Time{})
	for _, c := range []struct{ text, remedy string }{
		{"2.10E+14", "text"},
		{"2,10E+14", "text"},
		{"2E14", "text"},
		{`"2.10060E+14"`, "text"},
		{"211059788270709.0", "text"},
		{"211059788270709.", "text"},
		{"211059788270709,00", "decimal"},
		{"211059788270709,0 # Paid", "decimal"},
		{"211,059,788,270,709", "text"},
		{`"211,059,788,270,709"`, "text"},
		{"211.059.788.270.709", "text"},
		{"211 059 788 270 709", "text"},
		{"211\u202f059\u202f788\u202f270\u202f709", "text"},
		{"21,10,59,78,82,70,709", "text"},
		{"211'059'788'270'709", "text"},
		{`="211059788270709"`, "text"},
		{"=211059788270709", "text"},
		{`"211059788270709"`, "quotes"},
		{"'211059788270709", "quotes"},
		{"211059788270709\u00a0", "U+00A0"},
		{"\u200b211059788270709", "U+200B"},
		{"211\ufeff059788270709", "U+FEFF"},
		{"1144119593783000000", "15 digits"},
		{"###########", "wider"},
		{"#N/A", "formula"},
		{"#VALUE!", "formula"},
		{"211059788270709#2", "digits only"},
		{"211059788270709;Paid", "digits only"},
		{"order_id", "digits only"},
		{"-211059788270709", "digits only"},
		{"2\x001\x00", "UTF-8"},
	} {
		r := w.runWith(ids[0]+"\n"+c.text+"\n", "track")
		if r.code != 2 || !strings.Contains(r.err, "line 2") || !strings.Contains(r.err, c.remedy) {
			t.Errorf("%q: %d: %s", c.text, r.code, r.err)
		}
		if strings.ContainsAny(c.text, "\x00") || c.remedy == "15 digits" {
			continue
		}
		if r := w.run(2, "cancel", "--yes", c.text); !strings.Contains(r.err, "argument 1") && !strings.HasPrefix(c.text, "-") {
			t.Errorf("%q: %s", c.text, r.err)
		}
	}
	contains(t, w.run(0, "sql", "SELECT 'tracked', count() FROM tracked_orders", "--format", "csv").out, ",0")

	w.write("ids.csv", "\ufeff"+ids[0]+"\r\n"+ids[1]+", "+ids[2]+"\t# Paid\r\n# 123\r\n#\r\n###\r\n#REF!\r\n#Comment 1\r\n")
	contains(t, w.run(2, "track", "--file", "ids.csv").err, "line 5", "line 6")
	w.write("ids.csv", "\ufeff"+ids[0]+"\r\n"+ids[1]+", "+ids[2]+"\t# Paid\r\n# 123\r\n#\r\n#Comment 1\r\n#was "+ids[3]+"\r\n")
	w.run(0, "track", "--file", "ids.csv")
	contains(t, w.run(0, "sql", "SELECT 'tracked', count() FROM tracked_orders", "--format", "csv").out, ",3")
}
