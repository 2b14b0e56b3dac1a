package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

func (p *program) check() *cobra.Command {
	var policy, cancel bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check configuration, credentials, permissions and ClickHouse",
		Long: `Check, one line each, whether everything is in place, and say what to do where
it is not. For each account it asks for one row of the order list, for one
order's detail and, where there is one, for a row of the product list, so that
keys, permissions and the way to the vendor are tried for real. The product
names are a convenience: that they are unavailable is a warning. Below, where
there are tables, is how each account stands, as 'ordersync status' says it;
the exit code is that of the checks.

It changes nothing: of tables that are missing or old it says what
'ordersync migrate', and every verb that writes, would do.

With --policy it calls nobody, and prints the RAM policy that the accounts of
the configuration need and no more, for the RAM console or

  aliyun ram CreatePolicy --PolicyName ordersync \
    --PolicyDocument "$(ordersync check --policy)"`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the result as JSON")
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
		return p.runCheck(cmd.Context())
	}
	return cmd
}

// runCheck checks everything and prints what was found.
func (p *program) runCheck(ctx context.Context) error {
	c := &checks{report: &status.Report{Accounts: []status.Stream{}}}
	c.all(ctx, p)
	p.report(map[string]any{"ok": c.code == exitOK, "checks": c.list, "accounts": c.report.Accounts}, func() {
		for _, k := range c.list {
			fmt.Fprintf(p.out, "%-6s %-24s %s\n", k.Status, k.Name, strings.ReplaceAll(k.Message, "\n", "\n"+strings.Repeat(" ", 32)))
		}
		if len(c.report.Accounts) > 0 {
			fmt.Fprintln(p.out)
			p.glance(c.report, c.report.Glance(), false)
			fmt.Fprintln(p.out)
		}
		fmt.Fprintln(p.out, c.summary())
	})
	if c.code != exitOK {
		return &exitError{code: c.code}
	}
	return nil
}

// checks gathers what was found.
type checks struct {
	list   []checked
	code   int
	report *status.Report // how the accounts stand; without any where nobody knows
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

// summary is one line about all of them.
func (c *checks) summary() string {
	names := map[string][]string{}
	for _, k := range c.list {
		names[k.Status] = append(names[k.Status], k.Name)
	}
	all := plural(len(c.list), "check")
	failed, warned := names[statusFailed], names[statusWarning]
	switch {
	case len(failed) > 0:
		return fmt.Sprintf("%d of %s FAILED: %s", len(failed), all, strings.Join(failed, ", "))
	case len(warned) > 0:
		return fmt.Sprintf("%s, none failed; look at: %s", all, strings.Join(warned, ", "))
	}
	return "all is in place: " + all
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
	set := ""
	if len(cfg.Variables) > 0 {
		set = "; set by the environment: " + strings.Join(cfg.Variables, ", ")
	}
	c.good("configuration", "%s: %s, schedule %s%s", cfg.File, plural(len(cfg.Accounts), "account"), cfg.Schedule.Cron, set)
	for i := range cfg.Accounts {
		c.account(ctx, &cfg.Accounts[i])
	}
	c.logins(ctx, cfg.Accounts)
	for _, warning := range cfg.InTheClear() {
		c.warn("connections", "%s", warning)
	}
	c.warehouse(ctx, p, cfg)
}

// logins warns of accounts of one source behind which there is one login.
func (c *checks) logins(ctx context.Context, accounts []config.Account) {
	first := map[[2]string]string{}
	for i := range accounts {
		a := &accounts[i]
		login, err := app.Identity(ctx, a)
		if err != nil {
			continue // the account's own lines say so
		}
		id := [2]string{a.Source, login}
		if other := first[id]; other != "" {
			c.warn("login of "+a.Name, "is the login of account %s, or another of the same vendor's account: they share the vendor's quota, and orders that both list are stored and counted "+
				"twice; remove one of the two, or give it another login", other)
			continue
		}
		first[id] = a.Name
	}
}

// account makes the calls that a sync makes.
func (c *checks) account(ctx context.Context, a *config.Account) {
	name := func(what string) string { return what + " of " + a.Name }
	for _, warning := range a.InTheClear() {
		c.warn(name("connection"), "%s", warning)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	// HTTP/2 repeats requests by itself, and the vendor refuses a nonce that it has seen.
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	client, err := app.NewClient(a, transport)
	if err != nil {
		c.bad(ctx, name("account"), &config.Error{Problems: []config.Problem{{Message: err.Error()}}})
		return
	}
	defer client.Close()
	if source.CanList(client) {
		for _, owner := range slices.Concat([]string{""}, a.OwnerIDs, a.MemberUIDs) {
			c.stream(ctx, client, a, schema.Stream{Account: a.Name, OwnerID: owner})
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
	c.clock(name("clock"), client.Clock())
}

// stream tries list and detail of the account itself or of one owner.
func (c *checks) stream(ctx context.Context, client source.Client, a *config.Account, stream schema.Stream) {
	list, detail := "order list of "+stream.String(), "order detail of "+stream.String()
	filters := app.Filters(a)
	only := ""
	if text := filters.String(); text != "" {
		only = "; only " + text
	}
	order, said, err := newest(ctx, client, stream.OwnerID, filters)
	switch {
	case err != nil:
		c.bad(ctx, list, err)
		return
	case said == "":
		c.good(list, "answers%s", only)
	case order != "":
		c.good(list, "answers; %s%s", said, only)
	default:
		hint := ""
		if a.Source == config.SourceBSS {
			hint = fmt.Sprintf("; the wrong site answers so, too: if there should be orders, check site (it is %s)", a.Site)
		}
		c.warn(list, "answers; %s%s%s", said, only, hint)
	}
	if order == "" {
		c.warn(detail, "not tried: there is no order to ask for")
		return
	}
	if _, err := client.Detail(ctx, stream.OwnerID, order); err != nil {
		c.bad(ctx, detail, err)
		return
	}
	c.good(detail, "answers")
}

// unknownOrder tries the detail of a source that cannot list. That it knows no such order is an answer, too: the API is
// there, and the key was accepted. No other refusal is, since a gateway that does not know the API refuses as well.
func (c *checks) unknownOrder(ctx context.Context, client source.Client, name string) {
	_, err := signedAnew(func() (source.Detail, error) { return client.Detail(ctx, "", "0") })
	switch source.ReasonOf(err) {
	case source.OK, source.NotFound:
		c.good(name, "answers; the source cannot list orders: `ordersync track` names them")
	default:
		c.bad(ctx, name, err)
	}
}

// signedAnew makes a call, and once more where the vendor wants another signature, as it does of a clock that is wrong.
func signedAnew[T any](call func() (T, error)) (T, error) {
	t, err := call()
	var e *source.Error
	if errors.As(err, &e) && e.Fresh {
		return call()
	}
	return t, err
}

// vendorsStart is before the first order of any of the vendors.
var vendorsStart = time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)

// newest finds an order to ask for: in the last hour, which every account can be asked for at once, in 30 days, or ever.
// said is what is to be said of there being none; a vendor may refuse so wide a question as the last one.
func newest(ctx context.Context, client source.Client, owner string, filters schema.Filters) (id, said string, err error) {
	now := time.Now().UTC()
	ask := func(start time.Time) (id string, total int, err error) {
		page, err := signedAnew(func() (source.Page, error) {
			return client.List(ctx, source.Query{OwnerID: owner, Filters: filters, Start: start, End: now, Page: 1, Size: 1})
		})
		if err == nil && len(page.Orders) > 0 {
			id = page.Orders[0].OrderID
		}
		return id, page.Total, err
	}
	for _, back := range []time.Duration{time.Hour, 30 * 24 * time.Hour} {
		if id, _, err := ask(now.Add(-back)); err != nil || id != "" {
			return id, "", err
		}
	}
	id, total, err := ask(vendorsStart)
	switch {
	case err != nil:
		said = "there are no orders in the last 30 days; whether there ever were was not answered: " + err.Error()
	case total == 0 && id == "":
		said = "there has never been an order"
	default:
		said = fmt.Sprintf("there are no orders in the last 30 days, and %d before", total)
	}
	return id, said, nil
}

// The vendor refuses calls whose time stamp is more than 15 minutes off.
const (
	clockLimit = 15 * time.Minute
	clockWarns = 30 * time.Second
)

func (c *checks) clock(name string, clock *source.Clock) {
	offset, known := clock.Offset()
	which := "ahead of"
	if offset > 0 {
		which = "behind"
	}
	off := span(offset.Abs())
	switch {
	case !known && clock.Trouble() != "":
		c.warn(name, "cannot be compared with the vendor's: %s; runs go by this machine's clock", clock.Trouble())
	case !known: // no answer came, which another line says
	case offset == 0:
		c.good(name, "agrees with the vendor's")
	case offset.Abs() < clockWarns:
		c.good(name, "is %s %s the vendor's; runs go by the vendor's", off, which)
	default:
		c.warn(name, "is %s %s the vendor's: set it by NTP; runs go by the vendor's, which refuses calls at %s", off, which, span(clockLimit))
	}
}

// warehouse looks at it. It makes nothing, and says what the verbs that write would make.
func (c *checks) warehouse(ctx context.Context, p *program, cfg *config.Config) {
	const name = "clickhouse"
	d := p.download()
	defer d.close()
	w, err := app.LookAtWarehouse(ctx, cfg, app.WarehouseOptions{Log: p.logger(cfg.Log, slog.LevelWarn), Progress: d.progress})
	if err != nil {
		c.bad(ctx, name, err)
		return
	}
	if w.Report != nil {
		c.report = w.Report
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
	if err := w.CheckWindow(cfg.Schedule.Window); err != nil {
		c.bad(ctx, "windows", err)
	}
}
