package cli

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// words are the parts of a progress text.
type words struct {
	share  string   // "42%"
	units  string   // "windows 360/1,440"
	counts []string // "1,000 orders"
	rate   string   // "9.8 of 10 orders/s"
	eta    string   // "ETA 1h5m", or why nothing happens now
}

func (t *task) words(now time.Time) words {
	s := t.state()
	t.pace.see(now, s)
	var w words
	if s.share > 0 {
		w.share = strconv.Itoa(int(100*s.share)) + "%"
	}
	if s.total > 0 {
		w.units = fmt.Sprintf("%ss %s/%s", s.unit, count(s.done), count(s.total))
	}
	for _, c := range s.counts {
		w.counts = append(w.counts, c.text())
	}
	if len(s.counts) > 0 {
		w.rate = rateText(t.pace.rate(now, s.counts[0]))
		if s.limit > 0 && s.limit < worthSaying {
			w.rate += " of " + number(math.Round(10*s.limit)/10)
		}
		w.rate += " " + s.counts[0].things + "/s"
	}
	if s.waits != "" {
		w.eta = s.waits
	} else if left := s.ends.Sub(now); left > 0 {
		w.eta = "ETA " + span(roughly(left))
	}
	return w
}

// worthSaying is where a quota begins that bounds nothing.
const worthSaying = 1000

// rateText writes a rate with two digits that say something.
func rateText(r float64) string {
	if r >= 100 {
		return count(int64(r))
	}
	return strconv.FormatFloat(r, 'f', 1, 64)
}

// line is the progress as a line of text.
func (t *task) line(now time.Time) string {
	w := t.words(now)
	parts := append([]string{w.units}, w.counts...)
	text := t.verb
	if w.share != "" {
		text += " " + w.share
	}
	return text + ": " + joined(append(parts, w.rate, w.eta), ", ")
}

// attrs are the progress for a program.
func (t *task) attrs(now time.Time) []slog.Attr {
	s := t.state()
	t.pace.see(now, s)
	attrs := []slog.Attr{slog.String("verb", t.verb)}
	if s.share > 0 {
		attrs = append(attrs, slog.Float64("share", s.share))
	}
	if s.total > 0 {
		attrs = append(attrs, slog.Int64(s.unit+"s", s.done), slog.Int64(s.unit+"s_total", s.total))
	}
	for _, c := range s.counts {
		attrs = append(attrs, slog.Int64(c.things, c.n))
	}
	if len(s.counts) > 0 {
		name := s.counts[0].things + "_per_second"
		attrs = append(attrs, slog.Float64(name, t.pace.rate(now, s.counts[0])))
		if s.limit > 0 {
			attrs = append(attrs, slog.Float64(name+"_limit", s.limit))
		}
	}
	if s.waits != "" {
		attrs = append(attrs, slog.String("waits", s.waits))
	} else if left := s.ends.Sub(now); left > 0 {
		attrs = append(attrs, slog.Float64("eta_seconds", left.Seconds()), slog.Time("ends_at", now.Add(left).UTC().Truncate(time.Second)))
	}
	return attrs
}

// joined joins the texts that are not empty.
func joined(texts []string, with string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), with)
}

const (
	widestBar = 30 // columns
	leastBar  = 8  // with less than that there is none
)

// beside is the text to the right of a bar in so many columns: as much as there is room for, and what matters most in any case.
func (w *words) beside(columns int) string {
	first := w.units
	if len(w.counts) > 0 {
		first = w.counts[0]
	}
	all := append(slices.Clone(w.counts), w.rate, w.eta)
	if len(w.counts) == 0 {
		all = append([]string{w.units}, all...)
	}
	most := []string{first, w.rate, w.eta}
	for i, parts := range [][]string{all, most, most, {first, w.eta}, {w.eta}} {
		room := columns
		if i < 2 {
			room -= leastBar + 2 // a bar, with a blank on either side
		}
		if text := joined(parts, "  "); runewidth.StringWidth(text) <= room {
			return text
		}
	}
	return ""
}
