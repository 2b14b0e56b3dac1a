package cli

import "time"

// FlushEvery makes every verb commit what it fetched so much sooner: a test need not wait for a batch to fill.
func FlushEvery(d time.Duration) { flushEvery = d }
