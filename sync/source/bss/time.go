package bss

import (
	"errors"
	"time"
)

// The columns are DateTime64(3): years 1900 to 2299, in milliseconds.
var (
	firstTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	afterTime = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
)

var (
	errNotTime      = errors.New("not a time")
	errTimeOutRange = errors.New("not between the years 1900 and 2299")
)

// wireTime is how the vendor wants times: whole seconds, UTC.
const wireTime = "2006-01-02T15:04:05Z"

// parseTime reads the vendor's times as UTC (I6): 2017-06-08T09:41:30Z, with a fraction or an offset if need be, or
// without seconds, as some of the vendor's examples are. Below a millisecond the column has no room, and a time is cut.
func parseTime(s string) (time.Time, error) {
	// RFC 3339 has two digits everywhere and a point before the fraction; time.Parse is more generous than that.
	if len(s) < len("2017-06-08T09:41Z") || s[10] != 'T' || s[13] != ':' {
		return time.Time{}, errNotTime
	}
	layout := time.RFC3339
	if s[16] != ':' {
		layout = "2006-01-02T15:04Z07:00"
	} else if len(s) > 19 && s[19] == ',' {
		return time.Time{}, errNotTime
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, errNotTime
	}
	t = t.UTC()
	if t.Before(firstTime) || !t.Before(afterTime) {
		return time.Time{}, errTimeOutRange
	}
	return t.Truncate(time.Millisecond), nil
}

// wholeSeconds gives the ends of an interval as the vendor takes them. The interval only ever grows by this.
func wholeSeconds(start, end time.Time) (string, string) {
	if r := end.Truncate(time.Second); !r.Equal(end) {
		end = r.Add(time.Second)
	}
	return start.UTC().Format(wireTime), end.UTC().Format(wireTime)
}
