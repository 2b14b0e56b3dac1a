package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// heads are the columns by which the table of streams can be sorted, each with its order. The first one is the usual order.
var heads = []struct {
	key, text string
	less      func(a, b *status.Stream) int
}{
	{"", "state", nil},
	{"name", "account", func(a, b *status.Stream) int { return strings.Compare(a.Name(), b.Name()) }},
	{"behind", "behind (usual)", func(a, b *status.Stream) int { return cmp.Compare(behind(b), behind(a)) }},
	{"orders", "orders today", func(a, b *status.Stream) int { return cmp.Compare(b.OrdersToday, a.OrdersToday) }},
	{"rejects", "rejects", func(a, b *status.Stream) int { return cmp.Compare(b.OpenRejects, a.OpenRejects) }},
}

// behind is the lag in seconds, where a stream that was never whole is further behind than any other.
func behind(l *status.Stream) float64 {
	switch {
	case l.LagSeconds != nil:
		return *l.LagSeconds
	case l.Unconfigured:
		return -1
	}
	return 1e18
}

// tabulate makes the table of streams as it was asked for: ?state=failing&find=main&sort=behind. An order or a state that there
// is none of is the usual one.
func (v *view) tabulate(asked url.Values) {
	v.Find = asked.Get("find")
	order := asked.Get("sort")
	to := func(state, order string) string {
		q := url.Values{}
		for key, value := range map[string]string{"state": state, "sort": order, "find": v.Find, "lane": v.Only} {
			if value != "" {
				q.Set(key, value)
			}
		}
		return "/?" + q.Encode() + "#accounts"
	}
	counts := map[diagnosis.State]int{}
	found := v.Glance()
	found = slices.DeleteFunc(found, func(l *status.Stream) bool {
		return v.Find != "" && !strings.Contains(strings.ToLower(l.Name()), strings.ToLower(v.Find))
	})
	for _, l := range found {
		counts[l.Diagnosis.State]++
	}
	if state := diagnosis.State(asked.Get("state")); slices.Contains(diagnosis.States, state) {
		v.Shown = string(state)
	}
	v.States = append(v.States, link{schema.Thousands(len(found)) + " in all", to("", order), v.Shown == ""})
	for _, state := range diagnosis.States {
		if n := counts[state]; n > 0 {
			v.States = append(v.States, link{fmt.Sprintf("%s %s", schema.Thousands(n), state), to(string(state), order), v.Shown == string(state)})
		}
	}
	for _, h := range heads {
		v.Heads = append(v.Heads, link{h.text, to(v.Shown, h.key), h.key == order})
		if h.key == order && h.less != nil {
			slices.SortStableFunc(found, h.less)
		}
	}
	v.Table = slices.DeleteFunc(found, func(l *status.Stream) bool { return v.Shown != "" && v.Shown != string(l.Diagnosis.State) })
}

// cause is what is wrong with some streams, in the same words.
type cause struct {
	Names string // of the first of them
	More  int    // how many there are besides
	*diagnosis.Diagnosis
	Problems []string
	Headline string
}

const (
	mostCauses = 12 // more than that nobody reads; the table has them all
	mostNames  = 3
)

// causes are what is wrong, the worst first. What is the same for many streams, as the login that is refused is for each of its
// owners, is said once.
func causes(r *status.Report) []cause {
	var out []cause
	groups := map[string]int{}
	for _, l := range r.Glance() {
		if len(l.Problems) == 0 {
			continue
		}
		key := string(l.Diagnosis.Cause) + source.Cause(l.Diagnosis.Says)
		if i, known := groups[key]; known {
			if x := &out[i]; strings.Count(x.Names, ", ") < mostNames-1 {
				x.Names += ", " + l.Name()
			} else {
				x.More++
			}
			continue
		}
		groups[key] = len(out)
		out = append(out, cause{Names: l.Name(), Diagnosis: &l.Diagnosis, Problems: l.Problems, Headline: l.Diagnosis.Headline(r.Now)})
	}
	return out
}

// CausesShown are as many of the causes as are read.
func (v *view) CausesShown() []cause { return v.Causes[:min(len(v.Causes), mostCauses)] }

// CausesLeft is how many are not shown.
func (v *view) CausesLeft() int { return len(v.Causes) - len(v.CausesShown()) }
