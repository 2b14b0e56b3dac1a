package field

import (
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
)

func TestTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2017-06-08T09:41:30Z":           "2017-06-08T09:41:30Z",
		"2017-06-08T09:41Z":              "2017-06-08T09:41:00Z",
		"2017-06-08T09:41+08:00":         "2017-06-08T01:41:00Z",
		"2017-06-08T09:41:30.123Z":       "2017-06-08T09:41:30.123Z",
		"2017-06-08T09:41:30.123999Z":    "2017-06-08T09:41:30.123Z",
		"2017-06-08T00:00:00+08:00":      "2017-06-07T16:00:00Z",
		"2017-06-08T09:41:30.5-01:30":    "2017-06-08T11:11:30.5Z",
		"2121-08-05T16:00:00Z":           "2121-08-05T16:00:00Z",
		"1900-01-01T00:00:00Z":           "1900-01-01T00:00:00Z",
		"1900-01-01T00:00:00.0001Z":      "1900-01-01T00:00:00Z",
		"1969-12-31T23:59:59.9996Z":      "1969-12-31T23:59:59.999Z",
		"2299-12-31T23:59:59.999999999Z": "2299-12-31T23:59:59.999Z",
		"2300-01-01T00:00:00+01:00":      "2299-12-31T23:00:00Z",
		"2024-02-29T00:00:00Z":           "2024-02-29T00:00:00Z",
	} {
		got, err := ParseTime(text)
		if err != nil || !got.Equal(vendortest.UTC(want)) || got.Location() != time.UTC {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "2017-06-08", "2017-06-08T09:41:30", "2017-06-08 09:41:30Z", "2017-06-08T9:41:30Z", "2017-06-08T09:41:30,5Z",
		"2017-02-29T00:00:00Z", "2017-06-08T24:00:00Z", "2017-06-08T09:41:60Z", "2017-06-08T09Z", "20170608T094130Z", "1496914890",
		"1899-12-31T23:59:59.999Z", "2300-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "NULL",
		"1900-01-01T00:00:00+00:01", "2017-06-08T09:41:30Zjunk", "2017-06-08T09:41:30+08:00Z",
	} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q became %v", text, got)
		}
	}
}

// FuzzTime: what is accepted is UTC, in the column's range and precision, and comes back from its own text.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2017-06-08T09:41:30Z", "2017-06-08T09:41Z", "2017-06-08T09:41:30.123456+08:00", "1900-01-01T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTime(s)
		if err != nil {
			return
		}
		if got.Location() != time.UTC || got.Before(firstTime) || !got.Before(afterTime) || got.Nanosecond()%int(time.Millisecond) != 0 {
			t.Fatalf("%q became %v", s, got)
		}
		if again, err := ParseTime(got.Format(time.RFC3339Nano)); err != nil || !again.Equal(got) {
			t.Fatalf("%q became %v, and that %v, %v", s, got, again, err)
		}
	})
}
