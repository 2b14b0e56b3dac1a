package diagnosis

import (
	"time"

	"github.com/ordersync/ordersync/schema"
)

// Facts are what is known of a stream.
type Facts struct {
	schema.Stream
	Now          time.Time
	Unconfigured bool // the configuration does not name it
	ByID         bool // its orders are tracked by their ids: it has no windows

	// Target is the lag that a daemon in good health stays below, and Every the time between two of its runs, zero where no
	// schedule says.
	Target, Every time.Duration
	Complete      time.Time // end of the newest complete range; by id, the last success; zero for never
	Newest        time.Time // end of the newest window
	Windows       map[schema.Verdict]int
	Unproven      int // windows that were listed with other filters
	Gaps          int
	Missing       time.Duration // their length
	Faults        []Fault       // why windows are short or failed, the most frequent first

	Rejects      int
	RejectsSince time.Time
	Pending      int // orders without their items that nobody has accepted
	Differences  []Differing
	Verified     Verified
	Refusal      Refusal
	Daemon       Daemon
	Runs         Runs
	Slowed       []Slowed // known to the process that makes the calls only
}

// Slowed are calls that are made more slowly than their quota allows, because the vendor throttles them; in calls a second.
type Slowed struct {
	API         string // list or detail
	Rate, Quota float64
}

// Fault is one cause for which windows are short or failed.
type Fault struct {
	Verdict  schema.Verdict
	Error    string
	Windows  int
	From, To time.Time // of creation times
}

// Differing is how many differences of one depth verifications found that no look of that depth has ended.
type Differing struct {
	Depth string    `json:"depth"` // what was compared: ledger, counts, rows, payloads or details
	Open  int       `json:"open"`
	Found time.Time `json:"found_at"` // the last of them
}

// Verified is how the newest verification ended.
type Verified struct {
	Finished time.Time
	Error    string // why it ended early; empty where it was finished
}

// Refusal is why the warehouse takes no rows; it is empty where nothing is known of that.
type Refusal struct{ Why, Cure string }

// Daemon is the process that works on the account by a schedule, or last did.
type Daemon struct {
	Live    bool      `json:"live"`
	Process string    `json:"process"` // host name and process id; empty where that is not known any more
	Since   time.Time `json:"since"`   // it works, where it lives
	Seen    time.Time `json:"seen_at"` // its last sign of life; zero where nobody has ever worked on it
	Stopped bool      `json:"stopped"` // it ended by a stop, and not by silence
}

// Runs are how the account's runs have ended of late.
type Runs struct {
	Last        time.Time // the newest that ended began then; zero for none
	Since       time.Time // since then they end in the same way
	Failed      bool
	Error       string        // of the newest
	ClockOffset time.Duration // the vendor's clock minus the machine's
	Running     bool          // one is under way
	Filling     string        // what is filled by it, where it is a backfill
}
