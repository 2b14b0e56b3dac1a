package field

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// The columns are DateTime64(3): years 1900 to 2299, in milliseconds.
var (
	firstTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	afterTime = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
)

var (
	errNotTime   = errors.New("not a time")
	errTimeEarly = errors.New("before the year 1900")
	errTimeLate  = errors.New("after the year 2299")
)

// ParseTime reads times that name their zone as UTC (I6): 2017-06-08T09:41:30Z, with a fraction or an offset if need be,
// or without seconds, as some of the vendors' examples are. Below a millisecond the column has no room, and a time is cut.
func ParseTime(s string) (time.Time, error) {
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
	return inColumn(t)
}

// LocalLayout is how vendors write times that do not name their zone.
const LocalLayout = "2006-01-02 15:04:05"

// parseLocal reads a time of the form yyyy-MM-dd HH:mm:ss in a zone as UTC (I6). Where clocks are set back an hour comes
// twice, and where they are set forward one is left out: such a time is an error, because nobody can say which is meant.
func parseLocal(s string, loc *time.Location) (time.Time, error) {
	if len(s) < len(LocalLayout) || len(s) > len(LocalLayout) && s[len(LocalLayout)] != '.' {
		return time.Time{}, errNotTime
	}
	wall, err := time.Parse(LocalLayout, s)
	if err != nil || wall.Format(LocalLayout) != s[:len(LocalLayout)] { // time.Parse takes a blank for a digit
		return time.Time{}, errNotTime
	}
	var found time.Time
	meanings := 0
	// A day is more than any change of a zone's offset.
	before, after := offset(wall.AddDate(0, 0, -1), loc), offset(wall.AddDate(0, 0, 1), loc)
	for n, off := range []time.Duration{before, after} {
		if n > 0 && after == before {
			break
		}
		if t := wall.Add(-off); offset(t, loc) == off {
			found, meanings = t, meanings+1
		}
	}
	switch meanings {
	case 0:
		return time.Time{}, fmt.Errorf("clocks of %s never show this time", loc)
	case 1:
		return inColumn(found)
	}
	return time.Time{}, fmt.Errorf("clocks of %s show this time twice", loc)
}

func offset(t time.Time, loc *time.Location) time.Duration {
	_, s := t.In(loc).Zone()
	return time.Duration(s) * time.Second
}

// parseMillis reads milliseconds since 1970 as UTC (I6).
func parseMillis(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, errNotTime
	}
	return inColumn(time.UnixMilli(n))
}

var day = regexp.MustCompile(`^\+?0*([1-9]\d{3,8})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ]|$)`)

// isLateDay reports whether a text begins with a day that is after the columns in every zone.
func isLateDay(s string) bool {
	m := day.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	year, _ := strconv.Atoi(m[1]) // digits, and few
	return year > afterTime.Year()
}

// inColumn makes a time one that the columns can hold.
func inColumn(t time.Time) (time.Time, error) {
	t = t.UTC()
	switch {
	case t.Before(firstTime):
		return time.Time{}, errTimeEarly
	case !t.Before(afterTime):
		return time.Time{}, errTimeLate
	}
	return t.Truncate(time.Millisecond), nil
}
