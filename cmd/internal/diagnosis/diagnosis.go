// Package diagnosis says of a stream, which is an account or an owner within it, how it stands and why: a state, since when, the
// cause in the words of whoever refused, what is lost or late because of it, and the one command or act that cures it. Causes
// outrank symptoms, which are listed below them.
//
// It is pure: it is given facts and asks nobody, so that page, terminal, log, metrics and messages say the same. Nothing in
// a diagnosis is a secret (I10): its words come from the tables, which hold none.
package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/format"
)

// State is how a stream stands, in a word.
type State string

// States, the worst first.
const (
	Stopped      State = "stopped"    // nothing is copied until somebody acts
	Failing      State = "failing"    // what is new is tried again and again, and fails
	Incomplete   State = "incomplete" // what is new arrives, and something else is missing or wrong
	Filling      State = "filling"    // it is being brought up to date
	Idle         State = "idle"       // it is up to date, and no daemon keeps it so
	OK           State = "ok"         // it is up to date
	Unconfigured State = "removed"    // the warehouse holds it, and the configuration does not name it
)

// States are all of them, the worst first.
var States = []State{Stopped, Failing, Incomplete, Filling, Idle, OK, Unconfigured}

// Rank orders states, the worst first.
func (s State) Rank() int { return slices.Index(States, s) }

// Bad reports whether somebody should know of it.
func (s State) Bad() bool { return s.Rank() <= Incomplete.Rank() }

// Cause is the kind of a cause: one of a few words, which metrics and programs can go by.
type Cause string

// Causes. What stands earlier explains what stands later, where both are found.
const (
	Warehouse    Cause = "warehouse"    // the warehouse takes no rows
	Clock        Cause = "clock"        // the machine's clock is not the vendor's
	Credentials  Cause = "credentials"  // the vendor refuses the key or what it may do
	NoDaemon     Cause = "daemon"       // no daemon works on the account any more
	Vendor       Cause = "vendor"       // the vendor, or the way to it, does not answer as it should
	Throttled    Cause = "throttled"    // the vendor wants fewer calls
	Run          Cause = "run"          // the run failed for another reason
	NeverSynced  Cause = "never synced" // nothing was ever asked for
	Windows      Cause = "windows"      // windows failed
	Short        Cause = "short"        // the vendor's count and its rows do not agree
	Items        Cause = "items"        // orders are without their line items
	Rejects      Cause = "rejects"      // records could not be stored
	Gaps         Cause = "gaps"         // there are holes in the ledger
	Filters      Cause = "filters"      // windows were listed with other filters
	Behind       Cause = "behind"       // it is behind, and nothing says why
	Differences  Cause = "differences"  // verifications found something
	Verification Cause = "verification" // the last verification was not finished
)

// order of the causes by what explains what.
var order = []Cause{Warehouse, Clock, Credentials, NoDaemon, Vendor, Throttled, Run, NeverSynced, Windows, Short, Items, Rejects, Gaps,
	Filters, Behind, Differences, Verification}

// explains says which other findings follow from a cause, so that they need no cure of their own.
var explains = func() map[Cause][]Cause {
	undone := []Cause{Run, NeverSynced, Windows, Short, Items, Gaps, Filters, Behind, Differences, Verification}
	return map[Cause][]Cause{
		Warehouse:   append([]Cause{NoDaemon, Vendor, Throttled}, undone...),
		Clock:       append([]Cause{Credentials}, undone...),
		Credentials: append([]Cause{Vendor, Throttled}, undone...),
		NoDaemon:    undone,
		Vendor:      undone,
		Throttled:   undone,
		Run:         {NeverSynced, Behind},
		Windows:     {Behind, Differences, Run},
		Short:       {Behind, Differences, Run},
		Items:       {Run},
		Rejects:     {Run},
		Filters:     {Behind},
	}
}()

// Diagnosis is what is wrong with a stream, or that nothing is.
type Diagnosis struct {
	State    State      `json:"state"`
	Since    *time.Time `json:"since"`            // when it began; null where that is not known or nothing is wrong
	Cause    Cause      `json:"cause,omitempty"`  // its kind; empty where nothing is wrong
	Says     string     `json:"says,omitempty"`   // the cause, in the words of who refused, with the id of the request
	Effect   string     `json:"effect,omitempty"` // what is lost or late because of it
	Cure     string     `json:"cure,omitempty"`   // the one command, between backticks, or act
	Symptoms []string   `json:"symptoms"`         // what follows from the cause, and what is wrong besides, with its own cure
}

// finding is one thing that was found.
type finding struct {
	state  State
	cause  Cause
	since  time.Time
	says   string
	effect string
	cure   string
}

// of makes a diagnosis of what was found: the cause that explains the most comes first.
func of(found []finding) Diagnosis {
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Compare(slices.Index(order, a.cause), slices.Index(order, b.cause))
	})
	first := found[0]
	d := Diagnosis{State: first.state, Since: format.TimeOrNull(first.since), Cause: first.cause, Says: first.says, Effect: first.effect, Cure: first.cure,
		Symptoms: []string{}}
	for _, f := range found[1:] {
		if f.state.Rank() < d.State.Rank() {
			d.State = f.state // what is late is late, whatever explains it
		}
		text := f.says
		if f.cure != "" && !slices.Contains(explains[first.cause], f.cause) {
			text += ": " + f.cure
		}
		d.Symptoms = append(d.Symptoms, text)
	}
	return d
}

// Problem is the cause with its effect and cure, in one line; empty where nothing is wrong.
func (d *Diagnosis) Problem() string {
	if !d.State.Bad() {
		return ""
	}
	return strings.Join(slices.DeleteFunc([]string{d.Says, d.Effect, d.Cure}, func(s string) bool { return s == "" }), "; ")
}

// Problems are [Diagnosis.Problem] and what follows from it or is wrong besides.
func (d *Diagnosis) Problems() []string {
	if !d.State.Bad() {
		return []string{}
	}
	return append([]string{d.Problem()}, d.Symptoms...)
}

// Headline is the state and since when, as of a time.
func (d *Diagnosis) Headline(now time.Time) string {
	if d.Since == nil {
		return string(d.State)
	}
	return fmt.Sprintf("%s since %s (%s)", d.State, format.Clock(*d.Since, now), format.Span(max(0, now.Sub(*d.Since))))
}
