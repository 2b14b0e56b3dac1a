package app

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/stream"
)

// login is one configured account, ready to be called. It has a stream for its own orders and one for each owner whose
// orders it may read; they share its budgets, because the vendor counts the calls of the login.
type login struct {
	name    string
	client  Client         // nil where nobody is to be called
	caller  *source.Caller // nil likewise
	list    *source.Budget
	detail  *source.Budget
	streams []stream.Stream
	engine  *engine.Engine // after Open; each login has its own, so that none waits for another
	calls   atomic.Int64   // made so far, whatever came of them
	slow    [2]atomic.Bool // whether list and detail calls were slowed when last looked at

	products products
	computed []prometheus.Collector // metrics of it that are asked for, see Metrics.account

	// What only the login's scheduled runs use, one at a time, after the start:
	ledger   []sink.StreamSummary // as of the last refresh
	verified []sink.Verification  // as of the last refresh
	bounds   engine.Bounds        // as of the last refresh
	scrubbed scrubbed             // since the last line about it
}

// newLogin wires an account: client, budgets, retries, metrics.
func newLogin(a *config.Account, m *Metrics, offline bool) (*login, error) {
	v, known := vendors[a.Source]
	if !known {
		return nil, fmt.Errorf("source %s is not wired: the table vendors of this package has no line for it", a.Source)
	}
	inFlight := inFlight(a.Quota)
	l := &login{name: a.Name, list: source.NewBudget(a.Quota.List), detail: source.NewBudget(a.Quota.Detail)}
	var calls stream.Source = &offlineSource{v.blank}
	if !offline {
		client, err := v.client(a, source.Options{Account: a.Name, Endpoint: a.Endpoint, MaxInFlight: 2 * inFlight})
		if err != nil {
			return nil, err
		}
		l.client = client
		l.caller = source.NewCaller(client, l.list, l.detail, source.DefaultPolicy, l.observer(m))
		calls = l.caller
	}
	all := owners(a)
	for _, owner := range all {
		l.streams = append(l.streams, stream.Stream{
			Stream: schema.Stream{Source: a.Source, Account: a.Name, OwnerID: owner},
			Source: calls, Filters: Filters(a), Decoder: v.decoder(a), PageSize: a.PageSize, InFlight: inFlight, Clock: l.clock,
			ListQuota: a.Quota.List / float64(len(all)), DetailQuota: a.Quota.Detail / float64(len(all)),
		})
	}
	return l, nil
}

// Filters are what the listings of an account are narrowed to.
func Filters(a *config.Account) schema.Filters { return schema.Filters(a.Filters) }

// owners are the account's own orders, which have no owner, and those whose orders it may read.
func owners(a *config.Account) []string { return slices.Concat([]string{""}, a.OwnerIDs, a.MemberUIDs) }

// watchPauses logs when a vendor wants no calls for a time, and when they are made again.
func (l *login) watchPauses(log *slog.Logger) {
	for i, b := range []*source.Budget{l.list, l.detail} {
		log := log.With("account", l.name, "api", apis[i])
		b.Watch(func(p source.Pause, over bool) {
			if over {
				log.Info("calls are made again after the pause that the vendor asked for", "asked", p.Asked)
				return
			}
			log.Warn("no calls for now: the vendor asked for a pause", "reason", p.Reason, "asked", p.Asked, "until", p.Until.UTC())
		})
	}
}

// observer counts the login's calls.
func (l *login) observer(m *Metrics) source.Observer {
	return func(api string, r source.Reason, d time.Duration) {
		l.calls.Add(1)
		m.called(l.name, api, r, d)
	}
}

// lists reports whether the login's orders can be listed; otherwise they are tracked by their ids.
func (l *login) lists() bool { return l.streams[0].Lists() }

// clock is the vendor's clock minus this machine's, as far as the answers have told.
func (l *login) clock() (offset time.Duration, known bool) {
	if l.client == nil {
		return 0, false
	}
	return l.client.Clock().Offset()
}

func (l *login) close() {
	if l.client != nil {
		l.client.Close()
	}
}

// inFlight is how many calls may be under way at once: enough to use the quota to the full while an answer takes up to
// two seconds, and bounded both ways.
func inFlight(q config.Quota) int {
	const least, most = 8, 256
	return int(min(max(2*max(q.List, q.Detail), least), most))
}
