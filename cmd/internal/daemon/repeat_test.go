package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// What is wrong for long is said once an hour, and not less.
func TestRepeatedLinesAreHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		start := time.Now()
		log := slog.New(newRepeatHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{
			Level: slog.LevelInfo,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.String("at", a.Value.Time().Sub(start).String())
				}
				return a
			},
		})))
		stream := schema.Stream{Account: "main", OwnerID: "7"}
		for i := range 25 { // two hours of scheduled runs
			call := &source.Error{Vendor: "bss", API: "QueryOrders", Reason: source.Timeout, RequestID: fmt.Sprint(i)}
			log.Info("tick", "n", i)
			log.Error("undone", stream.LogAttr(), "error", fmt.Errorf("%d listings in a row: %w", i, call))
			if i == 3 {
				call.Reason = source.Auth // another reason is news
				log.Error("undone", stream.LogAttr(), "error", call)
				log.With("account", "other").Error("undone", "error", call)
				log.Error("undone", schema.Stream{Account: "main"}.LogAttr(), "error", call)
			}
			time.Sleep(5 * time.Minute)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if !strings.Contains(line, "msg=tick") {
				got = append(got, strings.Join(strings.Fields(strings.NewReplacer("bss QueryOrders: ", "", `"`, "").Replace(line)), " "))
			}
		}
		want := []string{
			"at=0s level=ERROR msg=undone account=main owner_id=7 error=0 listings in a row: timeout [request 0]",
			"at=15m0s level=ERROR msg=undone account=main owner_id=7 error=auth [request 3]",
			"at=15m0s level=ERROR msg=undone account=other error=auth [request 3]",
			"at=15m0s level=ERROR msg=undone account=main error=auth [request 3]",
			"at=1h0m0s level=ERROR msg=undone account=main owner_id=7 error=12 listings in a row: timeout [request 12] repeated=11",
			"at=2h0m0s level=ERROR msg=undone account=main owner_id=7 error=24 listings in a row: timeout [request 24] repeated=11",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := strings.Count(out.String(), "msg=tick"); n != 25 {
			t.Errorf("%d of 25 lines that tell of nothing wrong", n)
		}
	})
}

// Who asks for everything gets it.
func TestRepeatedLinesAreDebugLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(newRepeatHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for range 3 {
		log.WarnContext(context.Background(), "broken", "error", errors.New("x"))
	}
	if s := out.String(); strings.Count(s, "level=WARN") != 1 || strings.Count(s, "level=DEBUG") != 2 {
		t.Error(s)
	}
}
