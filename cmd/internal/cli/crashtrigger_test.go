package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// trigger kills once, when what it waits for has happened. A nil one waits for nothing.
type trigger struct {
	what    string
	calls   int64 // to the vendor
	insert  int   // number of the insert, and how many replies of the server to it
	replies int
	writes  int64 // changes of the ledger that the watcher saw

	kill func()
	// Read after fired:
	survived bool   // the program did
	cause    string // what happened, or "time" where nothing did

	ready chan struct{} // closed when kill is set
	fired chan struct{} // closed after the kill
	once  sync.Once
	seen  atomic.Int64
}

func (f *trigger) fire() { f.fireFor(f.what) }

func (f *trigger) fireFor(cause string) {
	f.once.Do(func() {
		<-f.ready
		f.cause = cause
		f.kill()
		close(f.fired)
	})
}

// hurry kills now: what it waits for does not happen any more.
func (f *trigger) hurry() { f.fireFor("time") }

// disarm makes a kill that did not come yet never come.
func (f *trigger) disarm() { f.once.Do(func() {}) }

func (f *trigger) happened() bool {
	select {
	case <-f.fired:
		return true
	default:
		return false
	}
}

// called sees every call to the vendor, before it is answered.
func (f *trigger) called() {
	if f != nil && f.what == "call" && f.seen.Add(1) == f.calls {
		f.fire()
	}
}

// inserted sees every insert: before it is sent, and before each reply to it is handed on.
func (f *trigger) inserted(insert, replies int) {
	if f != nil && f.what == "insert" && insert == f.insert && replies == f.replies {
		f.fire()
	}
}

// recorded sees every change of the ledger.
func (f *trigger) recorded() {
	if f != nil && f.what == "ledger" && f.seen.Add(1) == f.writes {
		f.fire()
	}
}

// childOf finds the server that a program runs: its only child.
func childOf(program int) int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", program))
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for pid := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(pid); err == nil {
				return n
			}
		}
	}
	return 0
}
