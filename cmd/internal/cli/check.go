package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

func (p *program) check() *cobra.Command {
	var asJSON, policy, cancel bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, credentials, permissions and ClickHouse",
		Long: `Check, one line each, whether everything is in place, and say what to do where
it is not. For each account it asks for one row of the order list, for one
order's detail and, where there is one, for a row of the product list, so that
keys, permissions and the way to the vendor are tried for real. The product
names are a convenience: that they cannot be had is a warning.

It changes nothing: of tables that are missing or old it says what
'ordersync migrate', and every verb that writes, would do.

With --policy it calls nobody, and prints the RAM policy that the accounts of
the configuration need and no more, for the RAM console or

  aliyun ram CreatePolicy --PolicyName ordersync \
    --PolicyDocument "$(ordersync check --policy)"`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	cmd.Flags().BoolVar(&policy, "policy", false, "print the RAM policy with the least privilege instead, as JSON")
	cmd.Flags().BoolVar(&cancel, "with-cancel", false, "with --policy: allow 'ordersync cancel' too")
	cmd.MarkFlagsMutuallyExclusive("json", "policy")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case policy:
			return p.policy(cancel)
		case cancel:
			return usage(cmd, errors.New("--with-cancel belongs to --policy"))
		}
		c := &checks{}
		c.all(cmd.Context(), p)
		if asJSON {
			p.json(map[string]any{"ok": c.code == exitOK, "checks": c.list})
		} else {
			for _, k := range c.list {
				fmt.Fprintf(p.out, "%-6s %-24s %s\n", k.Status, k.Name, strings.ReplaceAll(k.Message, "\n", "\n"+strings.Repeat(" ", 32)))
			}
		}
		if c.code != exitOK {
			return &exitError{code: c.code}
		}
		return nil
	}
	return cmd
}

// checks gathers what was found.
type checks struct {
	list []checked
	code int
}

type checked struct {
	Name    string `json:"name"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Values of checked.Status. A warning does not change the exit code.
const (
	statusOK      = "ok"
	statusWarning = "warn"
	statusFailed  = "FAILED"
)

func (c *checks) good(name, format string, args ...any) {
	c.list = append(c.list, checked{name, statusOK, fmt.Sprintf(format, args...)})
}

func (c *checks) warn(name, format string, args ...any) {
	c.list = append(c.list, checked{name, statusWarning, fmt.Sprintf(format, args...)})
}

// bad notes a failure; the first one decides about the exit code.
func (c *checks) bad(ctx context.Context, name string, err error) {
	c.list = append(c.list, checked{name, statusFailed, err.Error()})
	if c.code == exitOK {
		c.code = exitCode(ctx, err)
	}
}

func (c *checks) all(ctx context.Context, p *program) {
	cfg, err := p.load()
	if err == nil {
		err = cfg.RequireAccounts()
	}
	if err != nil {
		c.bad(ctx, "configuration", err)
		return
	}
	c.good("configuration", "%s: %d accounts, schedule %s", cfg.File, len(cfg.Accounts), cfg.Schedule.Cron)
	for i := range cfg.Accounts {
		c.account(ctx, &cfg.Accounts[i])
	}
	c.warehouse(ctx, p, cfg)
}

// account makes the calls that a sync makes.
func (c *checks) account(ctx context.Context, a *config.Account) {
	name := func(what string) string { return what + " of " + a.Name }
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	// HTTP/2 repeats requests by itself, and the vendor refuses a nonce that it has seen.
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	clock := &clockTransport{next: transport}
	client, err := app.NewClient(a, clock)
	if err != nil {
		c.bad(ctx, name("account"), &config.Error{Problems: []config.Problem{{Message: err.Error()}}})
		return
	}
	defer client.Close()
	if source.CanList(client) {
		for _, owner := range slices.Concat([]string{""}, a.OwnerIDs, a.MemberUIDs) {
			c.lane(ctx, client, schema.Lane{Account: a.Name, OwnerID: owner})
		}
	} else {
		c.unknownOrder(ctx, client, name("order detail"))
	}
	if lister, ok := client.(app.ProductLister); ok {
		if _, _, err := lister.Products(ctx, 1, 1); err != nil {
			c.warn(name("product list"), "%v; only the product names need this call", err)
		} else {
			c.good(name("product list"), "answers")
		}
	}
	c.clock(name("clock"), clock)
}

// lane tries list and detail of the account itself or of one owner.
func (c *checks) lane(ctx context.Context, client source.Client, lane schema.Lane) {
	list, detail := "order list of "+lane.String(), "order detail of "+lane.String()
	order, found, err := c.newest(ctx, client, lane.OwnerID)
	if err != nil {
		c.bad(ctx, list, err)
		return
	}
	if found == 0 {
		c.good(list, "answers; there are no orders in the last 30 days")
		c.warn(detail, "not tried: there is no order to ask for")
		return
	}
	c.good(list, "answers")
	if _, err := client.Detail(ctx, lane.OwnerID, order); err != nil {
		c.bad(ctx, detail, err)
		return
	}
	c.good(detail, "answers")
}

// unknownOrder tries the detail of a source that cannot list: that it knows no such order is an answer, too, and the key
// was accepted.
func (c *checks) unknownOrder(ctx context.Context, client source.Client, name string) {
	_, err := client.Detail(ctx, "", "0")
	switch source.ReasonOf(err) {
	case source.OK, source.BadRequest, source.NotFound:
		c.good(name, "answers; the source cannot list orders: `ordersync track` names them")
	default:
		c.bad(ctx, name, err)
	}
}

// newest finds an order to ask for: in the last hour, which every account can be asked for at once, or in 30 days.
func (c *checks) newest(ctx context.Context, client source.Client, owner string) (id string, found int, err error) {
	now := time.Now().UTC()
	for _, back := range []time.Duration{time.Hour, 30 * 24 * time.Hour} {
		page, err := client.List(ctx, source.Query{OwnerID: owner, Start: now.Add(-back), End: now, Page: 1, Size: 1})
		if err != nil {
			return "", 0, err
		}
		if len(page.Orders) > 0 {
			return page.Orders[0].OrderID, page.Total, nil
		}
	}
	return "", 0, nil
}

// The vendor refuses calls whose time stamp is more than 15 minutes off.
const (
	clockLimit = 15 * time.Minute
	clockWarns = 30 * time.Second
)

func (c *checks) clock(name string, t *clockTransport) {
	off, known := t.off()
	switch {
	case !known:
	case off.Abs() < 2*time.Second: // the header has whole seconds
		c.good(name, "agrees with the vendor's")
	case off.Abs() < clockWarns:
		c.good(name, "is off by %s against the vendor's", span(off))
	default:
		c.warn(name, "is off by %s against the vendor's: set it by NTP; the vendor refuses calls at %s", span(off), span(clockLimit))
	}
}

// clockTransport compares the vendor's clock, as its answers tell it, with ours.
type clockTransport struct {
	next http.RoundTripper
	diff atomic.Pointer[time.Duration]
}

// RoundTrip is part of http.RoundTripper.
func (t *clockTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	before := time.Now()
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	after := time.Now()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// The header was written somewhere in between and cuts off a part of a second: half of each is the best guess.
		ours := before.Add(after.Sub(before) / 2)
		diff := ours.Sub(date.Add(time.Second / 2))
		t.diff.Store(&diff)
	}
	return resp, nil
}

// off is how far our clock is ahead, if an answer told.
func (t *clockTransport) off() (time.Duration, bool) {
	if d := t.diff.Load(); d != nil {
		return *d, true
	}
	return 0, false
}

// warehouse looks at it. It makes nothing, and says what the verbs that write would make.
func (c *checks) warehouse(ctx context.Context, p *program, cfg *config.Config) {
	const name = "clickhouse"
	d := p.download()
	defer d.close()
	w, err := app.LookAtWarehouse(ctx, cfg.ClickHouse, app.WarehouseOptions{
		Log: p.logger(cfg.Log, slog.LevelWarn), Progress: d.progress,
	})
	if err != nil {
		c.bad(ctx, name, err)
		return
	}
	server, database := w.Where, cfg.ClickHouse.Database
	if w.Version != "" {
		server = w.Version + " at " + server
	}
	switch {
	case w.Plan.Empty():
		c.good(name, "%s; the tables of database %s are up to date", server, database)
	case w.Plan.New():
		c.good(name, "%s; database %s is new: `ordersync migrate`, or the first verb that writes, will %s", server, database, w.Plan)
	default:
		c.warn(name, "%s; database %s is not up to date: `ordersync migrate`, or the next verb that writes, will %s", server, database, w.Plan)
	}
}
