package diagnosis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/schema"
)

var now = time.Date(2026, 11, 25, 15, 10, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// healthy is an account that a daemon keeps up to date.
func healthy() diagnosis.Facts {
	return diagnosis.Facts{
		Stream: schema.Stream{Source: "bss", Account: "main"}, Now: now, Target: 73 * time.Minute, Every: 5 * time.Minute,
		Complete: ago(10 * time.Minute), Newest: ago(-50 * time.Minute), Windows: map[schema.Verdict]int{schema.Complete: 100, schema.Open: 1},
		Daemon: diagnosis.Daemon{Live: true, Process: "host:1", Since: ago(48 * time.Hour), Seen: ago(time.Second)},
		Runs:   diagnosis.Runs{Last: ago(2 * time.Minute), Since: ago(48 * time.Hour)},
	}
}

const (
	refused = "bss QueryOrders (account main): auth: SignatureDoesNotMatch: Specified signature is not matched [HTTP 403] [request 0A-1]; check the secret of accounts[main]"
	away    = "bss QueryOrders (account main): unavailable: ServiceUnavailable: The request has failed [HTTP 503] [request 0A-2]"
)

// Each row is a state of the world with what must be said of it, and what must not: the cause first, with its own cure.
func TestDiagnoses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func(*diagnosis.Facts)
		state    diagnosis.State
		cause    diagnosis.Cause
		since    time.Time
		says     []string // in the problem, which is the first line
		symptoms []string // each in one of the lines below
		never    []string // in no line
	}{
		"healthy":                  {change: func(*diagnosis.Facts) {}, state: diagnosis.OK},
		"a lag within the target":  {change: func(f *diagnosis.Facts) { f.Complete = ago(73 * time.Minute) }, state: diagnosis.OK},
		"not configured":           {change: func(f *diagnosis.Facts) { f.Unconfigured, f.Gaps = true, 3 }, state: diagnosis.Unconfigured},
		"only ever filled by hand": {change: func(f *diagnosis.Facts) { f.Daemon = diagnosis.Daemon{} }, state: diagnosis.Idle},
		"filled by hand, long ago": {
			change: func(f *diagnosis.Facts) { f.Daemon, f.Complete = diagnosis.Daemon{}, ago(30*time.Hour) }, state: diagnosis.Stopped,
			cause: diagnosis.NoDaemon, since: ago(30*time.Hour - 73*time.Minute), says: []string{"no daemon works on it", "`ordersync run`"}, symptoms: []string{"behind by 1d6h"},
		},
		"new": {
			change: func(f *diagnosis.Facts) {
				*f = diagnosis.Facts{Stream: f.Stream, Now: now, Target: f.Target, Every: f.Every}
			},
			state: diagnosis.Incomplete, cause: diagnosis.NeverSynced, says: []string{"never synced", "`ordersync backfill --from …`"}, never: []string{"daemon"},
		},
		"wrong secret from the first call on": {
			change: func(f *diagnosis.Facts) {
				f.Complete, f.Newest, f.Windows = time.Time{}, time.Time{}, nil
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: "+refused
			},
			state: diagnosis.Stopped, cause: diagnosis.Credentials, since: ago(time.Hour),
			says: []string{"SignatureDoesNotMatch", "request 0A-1", "check the secret"}, symptoms: []string{"never synced"}, never: []string{"backfill"},
		},
		"refused for one owner": {
			change: func(f *diagnosis.Facts) {
				f.OwnerID = "7"
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: 1 record rejected\nmain/7: "+refused+"\nmain/77: "+away
			},
			state: diagnosis.Stopped, cause: diagnosis.Credentials, since: ago(time.Hour), says: []string{"SignatureDoesNotMatch"}, never: []string{"503", "rejected"},
		},
		"another owner is refused": {
			change: func(f *diagnosis.Facts) {
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main/7: "+refused
			},
			state: diagnosis.OK,
		},
		"vendor away for an hour": {
			change: func(f *diagnosis.Facts) {
				f.Complete, f.Windows = ago(70*time.Minute), map[schema.Verdict]int{schema.Complete: 75, schema.Failed: 25}
				f.Faults = []diagnosis.Fault{{schema.Failed, away, 25, ago(25 * time.Hour), f.Newest}}
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(65*time.Minute), "main: 25 windows failed, because: "+away
				f.Differences = []diagnosis.Differing{{"counts", 24, ago(time.Minute)}}
				f.Verified = diagnosis.Verified{ago(time.Minute), away}
			},
			state: diagnosis.Failing, cause: diagnosis.Vendor, since: ago(65 * time.Minute),
			says:     []string{"HTTP 503", "request 0A-2", "orders created since", "nothing here: every run tries again"},
			symptoms: []string{"25 windows", "24 differences", "was not finished"}, never: []string{"--repair", "SELECT", "`ordersync backfill"},
		},
		"one old hour fails": {
			change: func(f *diagnosis.Facts) {
				f.Windows = map[schema.Verdict]int{schema.Complete: 99, schema.Failed: 1}
				f.Faults = []diagnosis.Fault{{schema.Failed, away, 1, ago(30 * time.Hour), ago(29 * time.Hour)}}
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: 1 window failed, because: "+away
			},
			state: diagnosis.Incomplete, cause: diagnosis.Vendor, since: ago(time.Hour), says: []string{"HTTP 503"},
		},
		"short hours while it runs": {
			change: func(f *diagnosis.Facts) {
				f.Complete, f.Windows = ago(312*time.Minute), map[schema.Verdict]int{schema.Complete: 95, schema.Short: 5}
				f.Faults = []diagnosis.Fault{{schema.Short, "TotalCount says 5 and 4 came", 5, ago(310 * time.Minute), ago(10 * time.Minute)}}
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(5*time.Hour), "main: 5 windows short, because: TotalCount says 5 and 4 came"
			},
			state: diagnosis.Failing, cause: diagnosis.Short, since: ago(310 * time.Minute), says: []string{"TotalCount says 5 and 4 came", "5 windows"},
			symptoms: []string{"behind by 5h12m, where up to 1h13m is usual"}, never: []string{"ordersync run`"},
		},
		"the daemon was stopped": {
			change: func(f *diagnosis.Facts) {
				f.Daemon.Live, f.Daemon.Stopped, f.Daemon.Seen = false, true, ago(time.Minute)
			},
			state: diagnosis.Stopped, cause: diagnosis.NoDaemon, since: ago(time.Minute), says: []string{"host:1 was stopped", "nothing new arrives", "`ordersync run`"},
		},
		"the daemon was killed, hours ago": {
			change: func(f *diagnosis.Facts) {
				f.Daemon.Live, f.Daemon.Seen, f.Complete = false, ago(3*time.Hour), ago(4*time.Hour)
			},
			state: diagnosis.Stopped, cause: diagnosis.NoDaemon, since: ago(3 * time.Hour), says: []string{"ended without a word", "orders created since 11:10"}, symptoms: []string{"behind by 4h0m"},
		},
		"no daemon for days": {
			change: func(f *diagnosis.Facts) {
				f.Daemon = diagnosis.Daemon{Seen: ago(50 * time.Hour)}
				f.Complete = ago(51 * time.Hour)
			},
			state: diagnosis.Stopped, cause: diagnosis.NoDaemon, since: ago(50 * time.Hour), says: []string{"the last scheduled run began at 2026-11-23 13:10"},
		},
		"the daemon lives and hangs": {
			change: func(f *diagnosis.Facts) { f.Complete, f.Runs.Last = ago(3*time.Hour), ago(2*time.Hour) },
			state:  diagnosis.Stopped, cause: diagnosis.NoDaemon, since: ago(2 * time.Hour), says: []string{"host:1, lives and ends no run"},
		},
		"a first run of the daemon": {
			change: func(f *diagnosis.Facts) {
				f.Complete, f.Newest, f.Windows, f.Runs = time.Time{}, time.Time{}, nil, diagnosis.Runs{Running: true}
			},
			state: diagnosis.Filling,
		},
		"a backfill beside a daemon that is behind": {
			change: func(f *diagnosis.Facts) {
				f.Complete, f.Gaps, f.Missing, f.Runs.Running, f.Runs.Filling = ago(30*time.Hour), 2, time.Hour, true, "a backfill is under way, done in 5m"
			},
			state: diagnosis.Filling,
		},
		"a warehouse that takes no rows": {
			change: func(f *diagnosis.Facts) {
				f.Complete, f.Daemon.Live, f.Daemon.Seen = ago(3*time.Hour), false, ago(2*time.Hour)
				f.Refusal = diagnosis.Refusal{"disk default has 12.00 MiB free", "make room on it"}
			},
			state: diagnosis.Stopped, cause: diagnosis.Warehouse, says: []string{"disk default has 12.00 MiB free", "orders created since", "make room on it"},
			symptoms: []string{"no daemon works on it any more", "behind by"}, never: []string{"`ordersync run`"},
		},
		"an insert is refused": {
			change: func(f *diagnosis.Facts) {
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: commit: insert into order_rows (rows: 3): code: 243, message: Cannot reserve 1.00 MiB, not enough space"
			},
			state: diagnosis.Stopped, cause: diagnosis.Warehouse, since: ago(time.Hour), says: []string{"not enough space"},
		},
		"a clock that is a little off": {
			change: func(f *diagnosis.Facts) { f.Runs.ClockOffset = 2 * time.Minute }, state: diagnosis.Incomplete, cause: diagnosis.Clock,
			says: []string{"2m0s behind the vendor's", "NTP"},
		},
		"a clock that is so far off that calls are refused": {
			change: func(f *diagnosis.Facts) {
				f.Runs.ClockOffset, f.Runs.Failed, f.Runs.Since, f.Runs.Error = -time.Hour, true, ago(time.Hour), "main: "+refused
			},
			state: diagnosis.Stopped, cause: diagnosis.Clock, since: ago(time.Hour), says: []string{"1h0m ahead of the vendor's"}, symptoms: []string{"SignatureDoesNotMatch"}, never: []string{"check the secret"},
		},
		"a quota that is shared": {
			change: func(f *diagnosis.Facts) {
				f.Complete = ago(2 * time.Hour)
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: bss QueryOrders (account main): throttled: Throttling.User [HTTP 429]"
			},
			state: diagnosis.Failing, cause: diagnosis.Throttled, since: ago(time.Hour), says: []string{"Throttling.User", "what else uses the account's quota"}, symptoms: []string{"behind by 2h0m"},
		},
		"a quota that is shared, and nothing is late": {
			change: func(f *diagnosis.Facts) { f.Slowed = []diagnosis.Slowed{{"list", 5.12, 10}} }, state: diagnosis.OK,
		},
		"a quota that is shared, with figures": {
			change: func(f *diagnosis.Facts) {
				f.Slowed = []diagnosis.Slowed{{"list", 5.12, 10}, {"detail", 2, 5}}
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: bss QueryOrders (account main): throttled: Throttling.User [HTTP 429]"
			},
			state: diagnosis.Failing, cause: diagnosis.Throttled, since: ago(time.Hour), says: []string{"Throttling.User", "list calls are made at 5.1 of 10 a second", "detail calls are made at 2.0 of 5", "what else uses the account's quota"},
		},
		"a quota that is shared, and something else is wrong": {
			change: func(f *diagnosis.Facts) {
				f.Gaps, f.Missing, f.Slowed = 1, time.Hour, []diagnosis.Slowed{{"list", 5.12, 10}}
			},
			state: diagnosis.Incomplete, cause: diagnosis.Gaps, symptoms: []string{"the account's quota is shared", "5.1 of 10 a second"},
		},
		"items are refused, orders are not": {
			change: func(f *diagnosis.Facts) {
				f.Pending = 40
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: bss GetOrderDetail (account main): auth: NoPermission: no [HTTP 403] [request 7]; allow bss:GetOrderDetail"
			},
			state: diagnosis.Stopped, cause: diagnosis.Credentials, since: ago(time.Hour), says: []string{"GetOrderDetail", "allow bss:GetOrderDetail"}, symptoms: []string{"40 orders are without line items"}, never: []string{"SELECT"},
		},
		"what is wrong besides keeps its own cure": {
			change: func(f *diagnosis.Facts) {
				f.Rejects, f.RejectsSince = 3, ago(48*time.Hour)
				f.Runs.Failed, f.Runs.Since, f.Runs.Error = true, ago(time.Hour), "main: "+refused
			},
			state: diagnosis.Stopped, cause: diagnosis.Credentials, since: ago(time.Hour), symptoms: []string{"3 records could not be stored: `ordersync rejects`"},
		},
		"rejects alone": {
			change: func(f *diagnosis.Facts) {
				f.Rejects, f.RejectsSince, f.Runs.Failed, f.Runs.Error = 1, ago(48*time.Hour), true, "main: 1 record rejected"
			},
			state: diagnosis.Incomplete, cause: diagnosis.Rejects, since: ago(48 * time.Hour), says: []string{"1 record could not be stored", "`ordersync rejects`"},
		},
		"a verification that was not finished": {
			change: func(f *diagnosis.Facts) { f.Verified = diagnosis.Verified{ago(time.Minute), away} },
			state:  diagnosis.Incomplete, cause: diagnosis.Verification, since: ago(time.Minute), says: []string{"was not finished", "HTTP 503", "not proven", "`ordersync verify --account main`"},
		},
		"differences": {
			change: func(f *diagnosis.Facts) { f.Differences = []diagnosis.Differing{{"counts", 2, ago(time.Minute)}} },
			state:  diagnosis.Incomplete, cause: diagnosis.Differences, since: ago(time.Minute), says: []string{"2 differences between the source's counts and the copy", "--repair --account main"},
		},
		"gaps": {
			change: func(f *diagnosis.Facts) { f.Gaps, f.Missing = 1, time.Hour }, state: diagnosis.Incomplete, cause: diagnosis.Gaps, says: []string{"1 gap, 1h0m in all"},
		},
		"other filters": {change: func(f *diagnosis.Facts) { f.Unproven = 1 }, state: diagnosis.Incomplete, cause: diagnosis.Filters, says: []string{"1 window was listed with other filters"}},
		"behind, and nobody knows why": {
			change: func(f *diagnosis.Facts) { f.Complete = ago(2 * time.Hour) }, state: diagnosis.Failing, cause: diagnosis.Behind, since: ago(2*time.Hour - 73*time.Minute),
			says: []string{"behind by 2h0m, where up to 1h13m is usual"},
		},
		"tracked by ids, never refreshed": {
			change: func(f *diagnosis.Facts) { f.ByID, f.Complete, f.Windows = true, time.Time{}, nil }, state: diagnosis.Incomplete, cause: diagnosis.NeverSynced,
			says: []string{"`ordersync track --account main ID…`"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := healthy()
			c.change(&f)
			d := diagnosis.Diagnose(f)
			if d.State != c.state || d.Cause != c.cause {
				t.Errorf("%s, %s instead of %s, %s: %+v", d.State, d.Cause, c.state, c.cause, d)
			}
			if d.Since == nil != c.since.IsZero() || d.Since != nil && !d.Since.Equal(c.since) {
				t.Errorf("since %v instead of %v", d.Since, c.since)
			}
			problems := d.Problems()
			if len(problems) > 0 != d.State.Bad() || d.Symptoms == nil {
				t.Fatalf("%+v", d)
			}
			for _, text := range c.says {
				if !strings.Contains(problems[0], text) {
					t.Errorf("%q is not in %q", text, problems[0])
				}
			}
			below := strings.Join(d.Symptoms, "\n")
			for _, text := range c.symptoms {
				if !strings.Contains(below, text) {
					t.Errorf("%q is not in %q", text, below)
				}
			}
			for _, text := range c.never {
				if all := strings.Join(problems, "\n"); strings.Contains(all, text) {
					t.Errorf("%q is in %q", text, all)
				}
			}
		})
	}
}

func ExampleDiagnosis_Headline() {
	since := ago(65 * time.Minute)
	d := diagnosis.Diagnosis{State: diagnosis.Failing, Since: &since}
	fmt.Println(d.Headline(now))
	// Output: failing since 14:05 (1h5m)
}

// A verb ends with the cures of the diagnosis, each once, and with none that its error says already.
func TestCures(t *testing.T) {
	t.Parallel()
	const throttled = "bss QueryOrders (account main): throttled: Throttling.User: m [HTTP 429]"
	for text, want := range map[string][]string{
		"main: " + refused: nil,
		"main: " + away:    {"every run tries again"},
		"main: 5 windows failed, because: " + away + "\nb: 1 window failed, because: " + away:               {"every run tries again"},
		"something was left undone:\nmain: " + throttled + "\nb: " + away:                                   {"what else uses the account's quota", "every run tries again"},
		"main: commit: insert 3 rows into order_rows: code: 469, message: m":                                {"its own log says more"},
		"commit: insert into order_rows (rows: 3): given up after 2m0s, reason disk: code: 243, message: m": {"make room on its disk"},
		"open no.such.file: no such file":                                                                   nil,
		"main: 5 windows short, because: TotalCount says 5 and 4 came":                                      nil,
	} {
		got := diagnosis.Cures(text)
		if len(got) != len(want) {
			t.Errorf("%s: %q instead of %q", text, got, want)
			continue
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: %q instead of %q", text, got[i], want[i])
			}
		}
	}
}
