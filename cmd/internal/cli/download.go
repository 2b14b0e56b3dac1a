package cli

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ordersync/ordersync/sync/stream"
)

// download shows the first download of the embedded engine, which has several stages. close must be called.
type download struct {
	p     *program
	stage string
	done  *atomic.Int64 // bytes of the stage
	stop  func()        // ends the stage; nil before the first
}

func (p *program) download() *download { return &download{p: p} }

// progress is told how far a stage is, in bytes. Calls come one at a time.
func (d *download) progress(stage string, done, total int64) {
	if d.stop == nil || stage != d.stage {
		d.close()
		so, pace := new(atomic.Int64), new(stream.Pace)
		d.stage, d.done = stage, so
		d.stop = d.p.follow(context.Background(), &task{verb: stage + " of the ClickHouse engine, once", state: func() state {
			n := so.Load()
			s := state{share: float64(n) / float64(max(total, 1)), counts: []counted{{n / 1e6, "MB"}}}
			if total <= 0 {
				s.share = 0
			}
			s.ends = pace.Ends(time.Now(), s.share)
			return s
		}})
	}
	d.done.Store(done)
}

func (d *download) close() {
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}
