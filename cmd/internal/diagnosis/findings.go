package diagnosis

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

const (
	// clockLimit is how far a clock may be off until vendors refuse what is signed by it, and clockWarns until it is told.
	clockLimit = 15 * time.Minute
	clockWarns = time.Minute
)

// Diagnose says how a stream stands.
func Diagnose(f Facts) Diagnosis {
	d := f.diagnose()
	slowed := SlowedText(f.Slowed)
	switch {
	case slowed == "" || f.Unconfigured:
	case !d.State.Bad(): // it takes longer, and that is all
		if d.Says != "" {
			slowed = d.Says + "; " + slowed
		}
		d.Says, d.Cure = slowed, cmp.Or(d.Cure, Unshare)
	case d.Cause == Throttled:
		d.Says += "; " + slowed
	default:
		d.Symptoms = append(d.Symptoms, slowed+": "+Unshare)
	}
	return d
}

// Unshare is what cures that a vendor throttles.
const Unshare = "look for what else uses the account's quota, or lower its quota in the configuration; calls are slower meanwhile and tried again"

// SlowedText says that a quota is shared, with figures; it is empty where no calls are slowed.
func SlowedText(slowed []Slowed) string {
	if len(slowed) == 0 {
		return ""
	}
	var rates []string
	for _, x := range slowed {
		rates = append(rates, fmt.Sprintf("%s calls are made at %.1f of %g a second", x.API, x.Rate, x.Quota))
	}
	return "the account's quota is shared, or lower than configured: the vendor throttles, and " + strings.Join(rates, ", ")
}

func (f *Facts) diagnose() Diagnosis {
	if f.Unconfigured {
		return Diagnosis{State: Unconfigured, Symptoms: []string{}}
	}
	var found []finding
	add := func(x *finding) {
		if x != nil {
			found = append(found, *x)
		}
	}
	add(f.warehouse())
	add(f.clock())
	add(f.daemon())
	add(f.run())
	add(f.never())
	for _, x := range f.Faults {
		add(f.windows(x))
	}
	add(f.items())
	add(f.rejects())
	add(f.gaps())
	add(f.filters())
	add(f.differences())
	add(f.verification())
	add(f.behind(len(found) > 0))
	switch {
	case len(found) > 0:
		return of(found)
	case f.late():
		return Diagnosis{State: Filling, Says: f.filling(), Symptoms: []string{}}
	case !f.Daemon.Live:
		return Diagnosis{State: Idle, Says: "no daemon keeps it up to date", Cure: "`ordersync run`", Symptoms: []string{}}
	}
	return Diagnosis{State: OK, Symptoms: []string{}}
}

// Away is the diagnosis of each account while the warehouse does not answer, so that nothing else is known.
func Away() Diagnosis {
	return of([]finding{{Stopped, Warehouse, time.Time{}, "the warehouse does not answer", "nothing is copied meanwhile, and nothing is lost", "`ordersync check` says what is wrong with the way to it"}})
}

// late reports whether it is behind its target.
func (f *Facts) late() bool { return f.Complete.IsZero() || f.lag() > f.Target }

func (f *Facts) lag() time.Duration { return f.Now.Sub(f.Complete) }

// lateness is what is late where nothing new arrives.
func (f *Facts) lateness() string {
	switch {
	case f.Complete.IsZero() && f.ByID:
		return "none of its orders was ever refreshed"
	case f.Complete.IsZero():
		return "no hour of it is complete"
	case f.ByID:
		return "its orders are as they were at " + f.clockText(f.Complete)
	}
	return "orders created since " + f.clockText(f.Complete) + " are not here, or not all"
}

func (f *Facts) clockText(t time.Time) string { return format.Clock(t, f.Now) }

func (f *Facts) warehouse() *finding {
	if f.Refusal.Why == "" {
		return nil
	}
	return &finding{Stopped, Warehouse, time.Time{}, "the warehouse takes no rows: " + f.Refusal.Why, f.lateness(), f.Refusal.Cure}
}

func (f *Facts) clock() *finding {
	off := f.Runs.ClockOffset.Abs()
	if off < clockWarns {
		return nil
	}
	which := "ahead of"
	if f.Runs.ClockOffset > 0 {
		which = "behind"
	}
	x := &finding{Incomplete, Clock, time.Time{}, fmt.Sprintf("the clock of the machine is %s %s the vendor's", format.Span(off), which),
		fmt.Sprintf("runs go by the vendor's; at %s it refuses calls", format.Span(clockLimit)), "set the clock by NTP"}
	if off >= clockLimit && f.Runs.Failed && f.reason() == source.Auth {
		x.state, x.since, x.effect = Stopped, f.Runs.Since, "the vendor refuses what is signed by it: "+f.lateness()
	}
	return x
}

// daemon finds that nobody works on an account any more. One that nobody has ever worked on by a schedule may be filled by hand.
func (f *Facts) daemon() *finding {
	d := f.Daemon
	stuck := f.Every > 0 && f.late() && !f.Runs.Running && d.Live && f.Now.Sub(later(f.Runs.Last, d.Since)) > 2*f.Every+stuckAfter
	switch {
	case stuck:
		return &finding{Stopped, NoDaemon, later(f.Runs.Last, d.Since), "the daemon, process " + d.Process + ", lives and ends no run", f.lateness(),
			"read the end of its log, and start `ordersync run` again"}
	case d.Live, d.Seen.IsZero() && (!f.late() || f.Runs.Running || f.Runs.Last.IsZero()):
		return nil
	}
	x := &finding{Stopped, NoDaemon, d.Seen, "", f.lateness(), "start `ordersync run`"}
	switch {
	case d.Seen.IsZero():
		x.says = "no daemon works on it"
		if !f.Complete.IsZero() {
			x.since = f.Complete.Add(f.Target)
		}
	case d.Process == "":
		x.says = "no daemon works on it any more: the last scheduled run began at " + f.clockText(d.Seen)
	case d.Stopped:
		x.says = "no daemon works on it any more: process " + d.Process + " was stopped"
	default:
		x.says = "no daemon works on it any more: process " + d.Process + " ended without a word, or cannot reach the warehouse"
		x.cure = "read the end of its log, and start `ordersync run` again"
	}
	if !f.late() {
		x.effect = "nothing new arrives from now on"
	}
	return x
}

// stuckAfter is how long a run may take to begin and end without a sign of life in the history, beside two times of the schedule.
const stuckAfter = 5 * time.Minute

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// said is what the newest run says of the stream: the whole error where it says nothing of any stream of the account.
func (f *Facts) said() string {
	if !f.Runs.Failed {
		return ""
	}
	text, name := "\n"+f.Runs.Error, f.Stream.String()
	_, rest, found := strings.Cut(text, "\n"+name+": ")
	if !found {
		if strings.Contains(text, "\n"+f.Account+": ") || strings.Contains(text, "\n"+f.Account+"/") {
			return "" // it is about others
		}
		return f.Runs.Error
	}
	for _, next := range []string{"\n" + f.Account + ": ", "\n" + f.Account + "/"} {
		rest, _, _ = strings.Cut(rest, next)
	}
	return rest
}

// insert is how the warehouse's refusal of rows begins, after what was being done; in the history it may have their number.
var insert = regexp.MustCompile(`(^|: )insert ([0-9]+ rows )?into `)

const because = ", because: "

func (f *Facts) reason() source.Reason { return source.ReasonIn(f.said()) }

// run finds why the newest run failed, where that is more than what the ledger says itself.
func (f *Facts) run() *finding {
	said := f.said()
	if said == "" {
		return nil
	}
	undone, cause, partly := strings.Cut(said, because)
	if !partly {
		undone, cause = "", said
	}
	if f.reason() == "" && (partly || f.counted()) {
		return nil // the ledger says it
	}
	x := blame(cause)
	x.since, x.effect = f.Runs.Since, f.lateness()
	if partly && !f.newest() {
		x.effect = undone
		if x.state == Failing {
			x.state = Incomplete
		}
	}
	return &x
}

// blame finds in what an error says who refused, in whose words, and what cures that.
func blame(text string) (x finding) {
	x.state = Failing
	x.says, x.cure = cureIn(text)
	cure := ""
	switch source.ReasonIn(text) {
	case source.Auth:
		x.state, x.cause = Stopped, Credentials
		cure = "`ordersync check` says what is refused and why"
	case source.Throttled:
		x.cause = Throttled
		cure = Unshare
	case source.Unavailable, source.Timeout, source.Malformed, source.Unknown:
		x.cause = Vendor
		cure = "nothing here: every run tries again; where it lasts, ask the vendor, with the id of the request"
	case source.BadRequest, source.NotFound:
		x.cause = Vendor
		cure = "`ordersync check`, and ask the vendor, with the id of the request"
	default:
		x.cause = Run
		cure = "the log of the run says more"
		if insert.MatchString(text) {
			x.cause, x.state = Warehouse, Stopped
			cure = "make the warehouse take rows again: its own log says more"
			if strings.Contains(text, ", reason disk: ") {
				cure = "make room on its disk"
			}
		}
	}
	if x.cure == "" {
		x.cure = cure
	}
	return x
}

// Cures returns what cures that of which an error tells, line by line, where a vendor or the warehouse refused: what the diagnosis of
// an account says whose runs end so. What the error says itself is left out.
func Cures(text string) (cures []string) {
	for line := range strings.Lines(text) {
		x := blame(strings.TrimSpace(line))
		if x.cause != Run && !strings.Contains(text, x.cure) && !slices.Contains(cures, x.cure) {
			cures = append(cures, x.cure)
		}
	}
	return cures
}

// counted reports whether the ledger names something that makes runs fail.
func (f *Facts) counted() bool {
	return f.Windows[schema.Short]+f.Windows[schema.Failed]+f.Rejects+f.Pending > 0
}

// newest reports whether the newest windows are among those that failed, and so what is new does not arrive.
func (f *Facts) newest() bool {
	for _, x := range f.Faults {
		if x.Verdict == schema.Failed && !x.To.Before(f.Newest.Add(-2*time.Hour)) {
			return true
		}
	}
	return f.late()
}

// cureIn parts what an error says from the remedy behind it.
func cureIn(text string) (says, cure string) {
	text = strings.Join(strings.Fields(text), " ")
	const end = "]; "
	if i := strings.LastIndex(text, end); i >= 0 {
		return text[:i+1], text[i+len(end):]
	}
	return text, ""
}

func (f *Facts) never() *finding {
	begun := len(f.Windows) > 0 || f.Unproven > 0
	switch {
	case f.ByID && f.Complete.IsZero():
		return &finding{Incomplete, NeverSynced, time.Time{}, "never refreshed", "none of its orders is here",
			fmt.Sprintf("name its orders with `ordersync track --account %s ID…`, then `ordersync run`", f.Account)}
	case f.ByID, !f.Complete.IsZero(), f.Runs.Filling != "", f.Runs.Running && !f.Runs.Failed:
		return nil
	case begun:
		return &finding{Failing, Behind, time.Time{}, "no window is complete yet", "none of its orders may be here", "the log of `ordersync run` says what it does"}
	}
	return &finding{Incomplete, NeverSynced, time.Time{}, "never synced", "none of its orders is here", "`ordersync backfill --from …`, then `ordersync run`"}
}

func (f *Facts) windows(x Fault) *finding {
	says, cure := cureIn(x.Error)
	text := fmt.Sprintf("%s between %s and %s %s %s", schema.Plural(x.Windows, "window"), f.clockText(x.From), f.clockText(x.To), isAre(x.Windows), x.Verdict)
	if says != "" {
		text += ": " + says
	}
	out := &finding{Incomplete, Windows, x.From, text, "orders of these hours may be missing", cure}
	if x.Verdict == schema.Short {
		out.cause = Short
	}
	if out.cure == "" {
		out.cure = "every run tries them again, ever more rarely; at once: " +
			fmt.Sprintf("`ordersync backfill --from %s --to %s`", x.From.UTC().Format(time.RFC3339), x.To.UTC().Format(time.RFC3339))
	}
	return out
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func (f *Facts) items() *finding {
	if f.Pending <= 0 {
		return nil
	}
	return &finding{Incomplete, Items, time.Time{}, schema.Plural(f.Pending, "order") + " " + isAre(f.Pending) + " without line items",
		"what they cost is known, and what for is not", "every run asks for them again; `SELECT * FROM orders WHERE detail_status = 'pending'`"}
}

func (f *Facts) rejects() *finding {
	if f.Rejects == 0 {
		return nil
	}
	return &finding{Incomplete, Rejects, f.RejectsSince, schema.Plural(f.Rejects, "record") + " could not be stored",
		"missing from the tables, with the payload kept", "`ordersync rejects` lists them"}
}

func (f *Facts) gaps() *finding {
	if f.Gaps == 0 || f.Runs.Filling != "" {
		return nil
	}
	return &finding{Incomplete, Gaps, time.Time{}, fmt.Sprintf("%s, %s in all, between the oldest and the newest window", schema.Plural(f.Gaps, "gap"), format.Span(f.Missing)),
		"orders of these hours are not here", "the daemon fills them; at once `ordersync backfill`"}
}

func (f *Facts) filters() *finding {
	if f.Unproven == 0 || f.Runs.Filling != "" {
		return nil
	}
	return &finding{Incomplete, Filters, time.Time{}, fmt.Sprintf("%s %s listed with other filters than are configured now", schema.Plural(f.Unproven, "window"), wasWere(f.Unproven)),
		"orders of these hours may be missing", "the daemon lists them again; at once `ordersync backfill`"}
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// behind is a symptom of whatever else was found, and a finding of its own where nothing explains it.
func (f *Facts) behind(explained bool) *finding {
	if f.Complete.IsZero() || !f.late() || !explained && (f.Runs.Running || f.Runs.Filling != "") {
		return nil
	}
	return &finding{Failing, Behind, f.Complete.Add(f.Target), fmt.Sprintf("behind by %s, where up to %s is usual", format.Span(f.lag()), format.Span(f.Target)),
		f.lateness(), "the log of `ordersync run` says what it does"}
}

// between says of each depth what differs.
var between = map[string]string{
	"ledger":   "the stored rows and the ledger",
	"counts":   "the source's counts and the copy",
	"rows":     "the source's list rows and the copy",
	"payloads": "stored rows and the payloads that they were made of",
	"details":  "the source's details and the copy",
}

func (f *Facts) differences() *finding {
	if len(f.Differences) == 0 {
		return nil
	}
	var differ []string
	var found time.Time
	for _, d := range f.Differences {
		differ = append(differ, fmt.Sprintf("%s between %s", schema.Plural(d.Open, "difference"), between[d.Depth]))
		found = later(found, d.Found)
	}
	return &finding{Incomplete, Differences, found, strings.Join(differ, ", ") + ", the last found at " + f.clockText(found),
		"numbers of these hours are wrong", "`ordersync verify --repair --account " + f.Account + "`"}
}

func (f *Facts) verification() *finding {
	if f.Verified.Error == "" {
		return nil
	}
	says, _ := cureIn(f.Verified.Error)
	return &finding{Incomplete, Verification, f.Verified.Finished, "the verification of " + f.clockText(f.Verified.Finished) + " was not finished: " + says,
		"what it was to compare is not proven", "it is tried again within an hour; at once `ordersync verify --account " + f.Account + "`"}
}

// filling says what goes on.
func (f *Facts) filling() string {
	if f.Runs.Filling != "" {
		return f.Runs.Filling
	}
	return "a run catches up"
}
