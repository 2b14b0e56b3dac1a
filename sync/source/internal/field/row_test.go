package field

import (
	"testing"
	"time"
	_ "time/tzdata" // the tests must not depend on the machine

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// What lies beyond the columns is no end of a service, and an error everywhere else.
func TestEnds(t *testing.T) {
	t.Parallel()
	china := zone(t, "Asia/Shanghai")
	type read func(*Row, gjson.Result) time.Time
	zoned, local := read(func(r *Row, v gjson.Result) time.Time { return r.End("k", v) }), read(func(r *Row, v gjson.Result) time.Time { return r.LocalEnd("k", v, china) })
	start, localStart := read(func(r *Row, v gjson.Result) time.Time { return r.Time("k", v) }), read(func(r *Row, v gjson.Result) time.Time { return r.LocalTime("k", v, china) })
	for _, tc := range []struct {
		json       string
		end, start read
		want       string // empty: none; else a time or the reason of a reject
	}{
		{`"2999-09-08T16:00:00Z"`, zoned, start, ""},
		{`"9999-12-31T23:59:59Z"`, zoned, start, ""},
		{`"9999-12-31T15:59Z"`, zoned, start, ""},
		{`"2300-01-01T00:00:00Z"`, zoned, start, ""},
		{`"2999-09-08"`, zoned, start, ""}, // such a day is never in every zone
		{`"9999-12-31"`, local, localStart, ""},
		{`"9999-12-31 23:59"`, zoned, start, ""},
		{`"9999-12-31 23:59:59"`, zoned, start, ""},
		{`"10000-01-01T00:00:00Z"`, zoned, start, ""},
		{`"+292278994-08-17T07:12:55.807Z"`, local, localStart, ""}, // the largest long of Java as a text
		{`"2121-08-05"`, zoned, start, source.RejectTime},           // but here the zone matters
		{`"9999-12-32"`, zoned, start, source.RejectTime},
		{`"2999-09-08x"`, local, localStart, source.RejectTime},
		{`"2299-12-31T23:59:59Z"`, zoned, start, "2299-12-31T23:59:59Z"},
		{`"2121-08-05T16:00:00Z"`, zoned, start, "2121-08-05T16:00:00Z"},
		{`"0001-01-01T00:00:00Z"`, zoned, start, source.RejectTime},
		{`"1899-12-31T23:59:59Z"`, zoned, start, source.RejectTime},
		{`"9999-13-31T00:00:00Z"`, zoned, start, source.RejectTime},
		{`"never"`, zoned, start, source.RejectTime},
		{`true`, zoned, start, source.RejectType},
		{`253402271999000`, local, localStart, ""},     // 9999-12-31
		{`9223372036854775807`, local, localStart, ""}, // the largest long of Java
		{`"9999-12-31 23:59:59"`, local, localStart, ""},
		{`"2999-09-08T16:00:00Z"`, local, localStart, ""},
		{`"2300-01-01 07:59:59"`, local, localStart, "2299-12-31T23:59:59Z"},
		{`-62135596800000`, local, localStart, source.RejectTime}, // 0001-01-01
		{`9223372036854775808`, local, localStart, source.RejectTime},
		{`{}`, local, localStart, source.RejectType},
	} {
		var r, s Row
		got := tc.end(&r, gjson.Parse(tc.json))
		switch wrong := tc.want == source.RejectTime || tc.want == source.RejectType; {
		case wrong && (r.Reason != tc.want || !got.IsZero()), tc.want == "" && (r.Reason != "" || !got.IsZero()):
			t.Errorf("%s: %v, %s; want %q", tc.json, got, r.Reason, tc.want)
		case !wrong && tc.want != "" && (r.Reason != "" || !got.Equal(vendortest.UTC(tc.want))):
			t.Errorf("%s: %v, %s; want %s", tc.json, got, r.Reason, tc.want)
		}
		if tc.start(&s, gjson.Parse(tc.json)); tc.want == "" && s.Reason != source.RejectTime {
			t.Errorf("%s begins: %q", tc.json, s.Reason)
		}
	}
}

// An empty time is none, as an empty amount is.
func TestNoTime(t *testing.T) {
	t.Parallel()
	for _, json := range []string{`null`, `""`, `" "`, `"\t\n"`} {
		var r Row
		if !r.Time("k", gjson.Parse(json)).IsZero() || !r.End("k", gjson.Parse(json)).IsZero() || r.Reason != "" || r.Money("k", gjson.Parse(json)).Valid {
			t.Errorf("%s: %s", json, r.Message)
		}
	}
}

func TestLocalTimes(t *testing.T) {
	t.Parallel()
	china, york := zone(t, "Asia/Shanghai"), zone(t, "America/New_York")
	for _, tc := range []struct {
		json string
		loc  *time.Location
		want string // empty: none; else a time or the reason of a reject
	}{
		{`null`, china, ""},
		{`""`, china, ""},
		{`" "`, china, ""},
		{`"2016-05-17 17:20:23"`, china, "2016-05-17T09:20:23Z"},
		{`"2016-05-17 17:20:23.250"`, china, "2016-05-17T09:20:23.25Z"},
		{`"2016-05-17 17:20:23"`, time.UTC, "2016-05-17T17:20:23Z"},
		{`"2016-07-01 12:00:00"`, york, "2016-07-01T16:00:00Z"},
		{`"2016-11-06 00:59:59"`, york, "2016-11-06T04:59:59Z"},
		{`"2016-11-06 01:30:00"`, york, source.RejectTime}, // shown twice
		{`"2016-11-06 02:00:00"`, york, "2016-11-06T07:00:00Z"},
		{`"2016-03-13 01:59:59"`, york, "2016-03-13T06:59:59Z"},
		{`"2016-03-13 02:30:00"`, york, source.RejectTime}, // never shown
		{`"2016-03-13 03:00:00"`, york, "2016-03-13T07:00:00Z"},
		{`1561614343000`, china, "2019-06-27T05:45:43Z"},
		{`"1561614343000"`, china, "2019-06-27T05:45:43Z"},
		{`1561614343001`, china, "2019-06-27T05:45:43.001Z"},
		{`-1`, china, "1969-12-31T23:59:59.999Z"},
		{`"2019-06-27T05:45:43Z"`, china, "2019-06-27T05:45:43Z"},
		{`1.5`, china, source.RejectTime},
		{`1e12`, china, source.RejectTime},
		{`99999999999999`, china, source.RejectTime},
		{`9223372036854775808`, china, source.RejectTime},
		{`"2016-05-17"`, china, source.RejectTime},
		{`"2016-5-17 17:20:23"`, china, source.RejectTime},
		{`"2016-05-17 17:20:23 +08"`, china, source.RejectTime},
		{`"2016-02-30 17:20:23"`, china, source.RejectTime},
		{`"1899-05-17 17:20:23"`, time.UTC, source.RejectTime},
		{`"soon"`, china, source.RejectTime},
		{`true`, china, source.RejectType},
		{`{}`, china, source.RejectType},
	} {
		var r Row
		got := r.LocalTime("T", gjson.Parse(tc.json), tc.loc)
		text := r.Reason
		if text == "" && !got.IsZero() {
			text = got.Format(time.RFC3339Nano)
			if got.Location() != time.UTC {
				t.Errorf("%s is not in UTC", tc.json)
			}
		}
		if text != tc.want {
			t.Errorf("%s in %s: %q, want %q (%s)", tc.json, tc.loc, text, tc.want, r.Message)
		}
	}
}

// FuzzLocal: what is accepted is shown by the clocks of the zone as it was written.
func FuzzLocal(f *testing.F) {
	for _, s := range []string{"2016-05-17 17:20:23", "2016-11-06 01:30:00", "1986-05-04 02:30:00", "1927-12-31 23:54:08"} {
		f.Add(s)
	}
	var zones []*time.Location
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"} {
		zones = append(zones, zone(f, name))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, loc := range zones {
			got, err := parseLocal(s, loc)
			if err != nil {
				continue
			}
			if shown := got.In(loc).Format(LocalLayout); shown != s[:len(LocalLayout)] {
				t.Fatalf("%q in %s became %v, which is %q", s, loc, got, shown)
			}
		}
	})
}

func TestFlagsAndScalars(t *testing.T) {
	t.Parallel()
	for json, want := range map[string]struct {
		flag, known bool
		text        string
	}{
		`true`: {true, true, "true"}, `"true"`: {true, true, "true"}, `false`: {false, true, "false"}, `" False "`: {false, true, " False "},
		`null`: {}, `""`: {}, `12`: {text: "12"}, `"x"`: {text: "x"},
	} {
		var r Row
		if text := r.Scalar("K", gjson.Parse(json)); text != want.text || r.Reason != "" {
			t.Errorf("%s: %q, %+v", json, text, r)
		}
		flag, known := r.Flag("K", gjson.Parse(json))
		if flag != want.flag || known != want.known {
			t.Errorf("%s: %v, %v", json, flag, known)
		}
		if odd := json == `12` || json == `"x"`; odd != (r.Reason == source.RejectType) {
			t.Errorf("%s: %+v", json, r)
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	decode := func(stream schema.Stream, raw string, i *schema.Item, r Row) Row {
		i.Stream, i.Raw, i.OrderID = stream, raw, "1"
		i.CreateTime = vendortest.UTC("2024-01-01T00:00:00Z")
		i.ItemID = gjson.Get(raw, "id").String()
		return r
	}
	stream := schema.Stream{Source: "s", Account: "a"}
	for _, tc := range []struct {
		only          bool
		lines         []string
		items, reject []string
	}{
		{true, []string{`{}`}, []string{"1"}, nil},
		{false, []string{`{}`}, nil, []string{source.RejectNoItemID}},
		{true, []string{`{}`, `{"id":2}`}, []string{"2"}, []string{source.RejectNoItemID}},
		{false, []string{`{"id":2}`, `{"id":2}`}, []string{"2"}, nil},
		{false, []string{`{"id":2}`, `{"id":"2"}`}, []string{"2"}, []string{source.RejectDuplicateItem}},
	} {
		l := Lines{Stream: stream, Order: "1", Key: "id", Only: tc.only, Decode: decode}
		items, rejects := l.Items(tc.lines)
		var ids, reasons []string
		for _, i := range items {
			ids = append(ids, i.ItemID)
			if !i.CreateTime.IsZero() || i.Stream != stream {
				t.Errorf("%+v", i)
			}
		}
		for _, r := range rejects {
			reasons = append(reasons, r.Reason)
			if r.CreateTime.IsZero() || r.Raw == "" || r.OrderID != "1" {
				t.Errorf("%+v", r)
			}
		}
		if !cmp.Equal(ids, tc.items) || !cmp.Equal(reasons, tc.reject) {
			t.Errorf("%v: items %v, rejects %v", tc.lines, ids, reasons)
		}
	}
	whole, broken := (&Lines{Stream: stream, Order: "1"}).Whole([]string{`{}`, `{`})
	if !cmp.Equal(whole, []string{`{}`}) || len(broken) != 1 || broken[0].Reason != source.RejectJSON || broken[0].OrderID != "1" {
		t.Errorf("%v, %+v", whole, broken)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, 中文 — ok": "plain, 中文 — ok", "\x1b[2J\x1b]0;t\x07x": " [2J ]0;t x", "a\r\nb\tc\x00\x7f\u0085d": "a  b c   d",
		"\u202egnp.exe\u200b": " gnp.exe ", "\xff": "\uFFFD", "0123456789012345678901": "01234567890123456789…",
	} {
		if got := Cut(text, 20); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
