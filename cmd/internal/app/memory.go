package app

import (
	"os"
	"runtime/debug"
)

const (
	memoryBase  = 40 << 20
	memoryShare = 16 << 20 // what one account holds at the most: listings, rows on their way, a batch
)

// limitMemory tells Go's collector how much memory the program is worth: a sync waits for the vendor most of the time, so
// it can afford to collect more often than Go would by itself. It is a goal, not a wall; GOMEMLIMIT overrides it.
func limitMemory(accounts int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(memoryBase + accounts*memoryShare))
	}
}
