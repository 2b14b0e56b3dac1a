package source

import (
	"net/http"
	"testing"
	"time"
)

// The middle of the last answers counts; what a proxy or a server without a clock says does not.
func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	answer := func(off time.Duration) http.Header {
		return http.Header{"Date": {now.Add(off).UTC().Format(http.TimeFormat)}}
	}
	header := func(name, value string) http.Header {
		h := answer(time.Hour)
		h.Set(name, value)
		return h
	}
	for name, c := range map[string]struct {
		answers []http.Header
		took    time.Duration
		want    time.Duration // about
		known   bool
	}{
		"none":                      {},
		"agrees":                    {answers: []http.Header{answer(0)}, known: true},
		"behind":                    {answers: []http.Header{answer(-10 * time.Minute)}, want: -10 * time.Minute, known: true},
		"ahead":                     {answers: []http.Header{answer(time.Hour), answer(time.Hour)}, want: time.Hour, known: true},
		"one wrong, the last":       {answers: []http.Header{answer(0), answer(0), answer(time.Hour)}, known: true},
		"one wrong, the first":      {answers: []http.Header{answer(-time.Hour), answer(0)}, known: true},
		"set right since":           {answers: []http.Header{answer(time.Hour), answer(time.Hour), answer(0), answer(0), answer(0)}, known: true},
		"1970":                      {answers: []http.Header{{"Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}}}},
		"no date":                   {answers: []http.Header{{}}},
		"no time":                   {answers: []http.Header{{"Date": {"yesterday"}}}},
		"a cache":                   {answers: []http.Header{header("Age", "30")}},
		"not a cache":               {answers: []http.Header{header("Age", "0")}, want: time.Hour, known: true},
		"slow, and may agree":       {answers: []http.Header{answer(4 * time.Second)}, took: 5 * time.Second, known: true},
		"slow, and does not agree":  {answers: []http.Header{answer(time.Minute)}, took: 5 * time.Second, want: time.Minute, known: true},
		"too slow to say something": {answers: []http.Header{answer(time.Minute)}, took: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			var k Clock
			for _, h := range c.answers {
				k.Observe(now, now.Add(c.took), h)
			}
			off, known := k.Offset()
			if known != c.known || (off-c.want).Abs() > 4*time.Second || c.want == 0 && off != 0 {
				t.Errorf("%s, %t", off, known)
			}
			if trouble := k.Trouble(); !known && len(c.answers) > 0 && trouble == "" || known && trouble != "" {
				t.Errorf("trouble: %q", trouble)
			}
		})
	}
}
