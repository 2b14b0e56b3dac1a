package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ordersync/ordersync/sync/source"
)

// repeatEvery is how often the log says the same thing again. A daemon meets what is wrong at every run, until somebody
// sees to it: a line each time would bury everything else.
const repeatEvery = time.Hour

// repeatHandler makes warnings and errors that say what was said within repeatEvery debug lines. The first one after that
// tells how many they were.
type repeatHandler struct {
	slog.Handler
	bound string // the identity of the attributes that With has added
	said  *said
}

// said remembers lines by what identifies them.
type said struct {
	mu    sync.Mutex
	lines map[string]*saidLine
}

type saidLine struct {
	at      time.Time // when it was last said aloud
	repeats int       // since then
}

func newRepeatHandler(h slog.Handler) repeatHandler {
	return repeatHandler{Handler: h, said: &said{lines: map[string]*saidLine{}}}
}

// Handle passes the line on, or makes it a debug line.
func (h repeatHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.Handler.Handle(ctx, r)
	}
	key := fmt.Sprint(r.Level, "\x00", r.Message, h.bound)
	r.Attrs(func(a slog.Attr) bool {
		key += identity(a)
		return true
	})
	repeats, again := h.said.note(key, r.Time)
	switch {
	case again && !h.Enabled(ctx, slog.LevelDebug):
		return nil
	case again:
		r.Level = slog.LevelDebug
	case repeats > 0:
		r.AddAttrs(slog.Int("repeated", repeats))
	}
	return h.Handler.Handle(ctx, r)
}

// note reports whether the line was said within repeatEvery; otherwise, how often it was held back before that.
func (s *said) note(key string, now time.Time) (repeats int, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, known := s.lines[key]
	if known && now.Sub(line.at) < repeatEvery {
		line.repeats++
		return 0, true
	}
	if known {
		repeats = line.repeats
	}
	for k, l := range s.lines { // so that it stays small
		if now.Sub(l.at) >= repeatEvery {
			delete(s.lines, k)
		}
	}
	s.lines[key] = &saidLine{at: now}
	return repeats, false
}

// identifying attributes tell one thing that is wrong from another. The others, such as counts and durations, differ each
// time that the same thing is told.
var identifying = []string{"account", "owner_id", "start", "verdict", "kind", "order", "orders", "table", "reason"}

// identity is what an attribute adds to the identity of a line.
func identity(a slog.Attr) string {
	a.Value = a.Value.Resolve()
	if a.Key == "" && a.Value.Kind() == slog.KindGroup {
		var b strings.Builder
		for _, inner := range a.Value.Group() {
			b.WriteString(identity(inner))
		}
		return b.String()
	}
	switch err, isError := a.Value.Any().(error); {
	case isError:
		return "\x00" + errorIdentity(err)
	case slices.Contains(identifying, a.Key):
		return "\x00" + a.Key + "=" + a.Value.String()
	}
	return ""
}

// errorIdentity is an error without what differs from call to call, such as the vendor's request id.
func errorIdentity(err error) string {
	if e, ok := errors.AsType[*source.Error](err); ok {
		return fmt.Sprint(e.Vendor, e.API, e.Account, e.Reason, e.Code)
	}
	return err.Error()
}

// WithAttrs is part of slog.Handler.
func (h repeatHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.bound += identity(a)
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup is part of slog.Handler.
func (h repeatHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
