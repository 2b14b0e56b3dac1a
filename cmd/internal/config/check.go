package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// checker judges the values of a decoded configuration. fields is what the
// decoder knows about the file; it is empty for a configuration without one.
type checker struct {
	fields   map[string]field
	problems []Problem
	offline  bool // Credentials were not read, so they are not judged.
}

// fail reports a problem with a field, on its line or on that of the nearest
// field around it, or with its variable. A field that already has a problem, or stands in one that has,
// is left alone.
func (c *checker) fail(path, format string, args ...any) {
	if c.failed(path) {
		return
	}
	nearest := c.fields[""]
	for at := path; at != ""; at = parent(at) {
		if f, ok := c.fields[at]; ok {
			nearest = f
			break
		}
	}
	c.problems = append(c.problems, nearest.problem(path, fmt.Sprintf(format, args...)))
}

// failed reports whether a field, or one around it, already has a problem.
func (c *checker) failed(path string) bool {
	for at := path; at != ""; at = parent(at) {
		if c.fields[at].failed {
			return true
		}
	}
	return false
}

// parent returns the path around a path: accounts[0].quota.list, accounts[0].quota,
// accounts[0], accounts, and then nothing.
func parent(path string) string {
	i := strings.LastIndexAny(path, ".[")
	if i < 0 {
		return ""
	}
	return path[:i]
}

// show quotes a value as it is written in the file: what a variable holds may be
// a secret in the wrong place (I10). Fields that hold secrets never come here.
func (c *checker) show(path, value string) string {
	if f, ok := c.fields[path]; ok && f.raw != "" {
		value = f.raw
	}
	if runes := []rune(value); len(runes) > 60 {
		value = string(runes[:60]) + "…"
	}
	return strconv.Quote(value)
}

// oneOf checks a value against the values that exist.
func (c *checker) oneOf(path, value string, options ...string) bool {
	if slices.Contains(options, value) {
		return true
	}
	list := strings.Join(options, ", ")
	if value == "" {
		c.fail(path, "is required (one of %s)", list)
	} else if meant := didYouMean(value, options); meant != "" {
		c.fail(path, "%s is none of %s (did you mean %q?)", c.show(path, value), list, meant)
	} else {
		c.fail(path, "%s is none of %s (choose one)", c.show(path, value), list)
	}
	return false
}

// config checks everything.
func (c *checker) config(cfg *Config) {
	c.accounts(cfg.Accounts)
	c.clickHouse(&cfg.ClickHouse)
	c.schedule(&cfg.Schedule)
	c.timezone("reporting.timezone", cfg.Reporting.Timezone)
	if cfg.Reporting.Refresh != 0 {
		c.span("reporting.refresh", cfg.Reporting.Refresh, time.Minute, maxSpan)
	}
	if !hostPort(cfg.HTTP.Listen, true) {
		c.fail("http.listen", "%s is not an address (write host:port, such as 127.0.0.1:9464, or :9464 for every interface)",
			c.show("http.listen", cfg.HTTP.Listen))
	}
	for i, host := range cfg.HTTP.Hosts {
		if path := fmt.Sprintf("http.hosts[%d]", i); !goodHost(host, false) {
			c.fail(path, "%s is not a host's name or address (write it without http:// and without a port, such as ordersync.example.com)", c.show(path, host))
		}
	}
	c.notify(&cfg.Notify)
	c.oneOf("log.level", cfg.Log.Level, "debug", "info", "warn", "error")
	c.oneOf("log.format", cfg.Log.Format, FormatAuto, FormatText, FormatJSON)
}

func (c *checker) notify(n *Notify) {
	known := c.oneOf("notify.format", n.Format, NotifyJSON, NotifyDingTalk, NotifyFeishu, NotifyWeCom, NotifySlack)
	u, err := url.Parse(n.URL.Reveal())
	switch {
	case n.URL == "" && n.Secret != "":
		c.fail("notify.url", "is missing, and notify.secret is given (give the address too)")
	case n.URL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		c.fail("notify.url", "is not an address (write http(s)://host/path, as the robot's settings show it)") // which is never shown (I10)
	}
	if known && n.Secret != "" && n.Format != NotifyDingTalk && n.Format != NotifyFeishu {
		c.fail("notify.secret", "is not used with format %s (remove it: %s and %s sign)", n.Format, NotifyDingTalk, NotifyFeishu)
	}
}

var (
	// A database's name stands in SQL and in file names unquoted.
	databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	clusterName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)
)

func (c *checker) clickHouse(ch *ClickHouse) {
	const at = "clickhouse."
	embedded, addr := ch.Embedded != "", len(ch.Addr) > 0
	known := !c.failed(at+"embedded") && !c.failed(at+"addr")
	switch {
	case !known:
	case embedded && addr:
		c.fail(at+"addr", "embedded and addr are both given (remove one: embedded for a folder of this machine, addr for a server)")
	case !embedded && !addr:
		c.fail("clickhouse", "neither embedded nor addr is given (embedded: ./ordersync-data, or addr: [\"host:9000\"])")
	case embedded:
		c.embedded(ch)
	}
	if strings.HasPrefix(ch.Embedded, "~") {
		c.fail(at+"embedded", "~ is not expanded (write ${HOME}/… or a path)")
	} else if embedded && filepath.Clean(ch.Embedded) == string(filepath.Separator) {
		c.fail(at+"embedded", "must not be the root of the file system (name a folder of its own)")
	}
	for name, port := range map[string]int{"native": ch.Ports.Native, "http": ch.Ports.HTTP} {
		switch path := at + "ports." + name; {
		case port < 0 || port > 65535:
			c.fail(path, "%d is not a port (1 to 65535, or 0 for any free one)", port)
		case port != 0 && addr && !embedded:
			c.fail(path, "is for the embedded server, and addr is given (remove one)")
		}
	}
	if ch.Ports.Native != 0 && ch.Ports.Native == ch.Ports.HTTP {
		c.fail(at+"ports", "native and http are the same (give two ports)")
	}
	for i, a := range ch.Addr {
		path := fmt.Sprintf("%saddr[%d]", at, i)
		if !hostPort(a, false) {
			// The value is not shown: someone may have written user:password@host.
			c.fail(path, "is not an address (write host:port of the native protocol, such as db.example.com:9000, without http://)")
		} else if slices.Contains(ch.Addr[:i], a) {
			c.fail(path, "is given twice (remove one)")
		}
	}
	switch {
	case !databaseName.MatchString(ch.Database):
		c.fail(at+"database", "%s is not a name (letters, digits and _, not beginning with a digit)", c.show(at+"database", ch.Database))
	case slices.Contains([]string{"system", "information_schema", "INFORMATION_SCHEMA"}, ch.Database):
		c.fail(at+"database", "%s belongs to ClickHouse (choose another, such as ordersync)", c.show(at+"database", ch.Database))
	}
	if ch.Username == "" {
		c.fail(at+"username", "is empty (the usual name is default)")
	}
	if ch.HTTP != "" && !hostPort(ch.HTTP, false) && !goodEndpoint(ch.HTTP) {
		// The value is not shown: someone may have written user:password@host.
		c.fail(at+"http", "is not an address (write host:port or http(s)://host:port of the HTTP interface, such as https://db.example.com:8443)")
	}
	if ch.Reader.Username == "" && ch.Reader.Password != "" {
		c.fail(at+"reader.username", "is missing beside its password (name the user who may only read; `ordersync grants` prints how to make one)")
	}
	if ch.Cluster != "" && !clusterName.MatchString(ch.Cluster) {
		c.fail(at+"cluster", "%s is not a cluster's name (letters, digits, _ . -; SELECT cluster FROM system.clusters lists them)",
			c.show(at+"cluster", ch.Cluster))
	}
}

// embedded rejects what has no effect on the embedded server. It has no users,
// so a password would only look as if it protected something.
func (c *checker) embedded(ch *ClickHouse) {
	const remedy = "(give addr, or remove it)"
	if ch.Username != "default" && ch.Username != "" {
		c.fail("clickhouse.username", "the embedded warehouse has no users %s", remedy)
	}
	if ch.Password != "" {
		c.fail("clickhouse.password", "the embedded warehouse has no passwords; it listens on this machine only %s", remedy)
	}
	if ch.Secure {
		c.fail("clickhouse.secure", "the embedded warehouse speaks no TLS; it listens on this machine only %s", remedy)
	}
	if ch.Cluster != "" {
		c.fail("clickhouse.cluster", "the embedded warehouse is no cluster %s", remedy)
	}
	if ch.HTTP != "" {
		c.fail("clickhouse.http", "the embedded warehouse tells itself where it is %s", remedy)
	}
	if ch.Reader.Username != "" {
		c.fail("clickhouse.reader", "the embedded warehouse makes its reader itself (remove it; `ordersync sql --login` prints the login)")
	}
	if ch.Database == "default" {
		// In clickhouse local, which the embedded server is, the database default
		// shows the files of the working directory as tables.
		c.fail("clickhouse.database", "the embedded warehouse cannot keep tables in default (choose another, such as ordersync)")
	}
}

const (
	day = 24 * time.Hour
	// maxSpan bounds lookback and sweep. They are listed again at every scheduled run; what
	// lies further back is for backfill and verify.
	maxSpan = 366 * day
)

func (c *checker) schedule(s *Schedule) {
	c.cron(s.Cron)
	window := s.Window >= time.Minute && day%s.Window == 0 && s.Window%time.Second == 0
	if !window {
		c.fail("schedule.window", "%s does not divide a day into windows of a minute or more (such as 1h, 30m or 24h)",
			c.show("schedule.window", s.Window.String()))
	}
	window = window && !c.failed("schedule.window")
	c.span("schedule.settle", s.Settle, 0, day)
	lookback := c.span("schedule.lookback", s.Lookback, time.Minute, maxSpan)
	c.span("schedule.sweep", s.Sweep, time.Hour, maxSpan)
	for i, age := range s.Recheck {
		at := fmt.Sprintf("schedule.recheck[%d]", i)
		if c.span(at, age, time.Second, maxSpan) && i > 0 && age <= s.Recheck[i-1] {
			c.fail(at, "is not longer than the one before it (order them, such as [10m, 1h, 24h])")
		}
	}
	c.scrub("schedule.scrub", s.Scrub)
	c.scrub("schedule.scrub_details", s.ScrubDetails)
	if c.span("schedule.quiet", s.Quiet, 0, maxSpan) && lookback && s.Quiet > s.Lookback {
		c.fail("schedule.quiet", "is longer than the lookback, which is listed when an owner is asked (give at most %s)", spanText(s.Lookback))
	}
	switch {
	case !lookback:
	case window && s.Lookback < s.Window:
		c.fail("schedule.lookback", "is shorter than the window (give at least %s)", s.Window)
	case !c.failed("schedule.settle") && s.Settle <= day && s.Lookback < s.Settle:
		c.fail("schedule.lookback", "is shorter than settle: late orders would never be seen (give at least %s)", s.Settle)
	}
}

// scrub checks within what time everything is to be compared again. What is shorter than the time between two runs means in each.
func (c *checker) scrub(path string, every time.Duration) {
	if every != 0 {
		c.span(path, every, 10*time.Second, 3660*day)
	}
}

// span checks a duration against its bounds and reports whether it is good.
func (c *checker) span(path string, d, low, high time.Duration) bool {
	if c.failed(path) {
		return false
	}
	if d < low || d > high || d%time.Second != 0 {
		c.fail(path, "%s is not a span of whole seconds from %s to %s (such as %s)",
			c.show(path, d.String()), spanText(low), spanText(high), spanText(max(low, min(high, day))))
		return false
	}
	return true
}

// spanText writes a bound as a user would.
func spanText(d time.Duration) string {
	switch {
	case d > 0 && d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	case d > 0 && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d > 0 && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	default:
		return d.String()
	}
}

func (c *checker) cron(spec string) {
	const at, form = "schedule.cron", `(five fields: minute hour day month weekday, such as "*/5 * * * *")`
	// The parser panics on a zone that nothing follows.
	if strings.Contains(spec, "TZ=") && !strings.Contains(spec, " ") {
		c.fail(at, "names a time zone and no times %s", form)
		return
	}
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		c.fail(at, "%s is not a cron expression %s", c.show(at, spec), form)
		return
	}
	// The parser rounds what is shorter than a second, even less than nothing, up.
	if every, ok := strings.CutPrefix(spec, "@every "); ok {
		if d, err := time.ParseDuration(every); err != nil || d < time.Second {
			c.fail(at, "%s is shorter than a second (such as @every 5m)", c.show(at, spec))
			return
		}
	}
	// The parser accepts days that never come, such as February 30.
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		c.fail(at, "%s never comes (choose days that exist)", c.show(at, spec))
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?$`)

// hostPort reports whether text is an address. A listener may leave the host out
// and may ask for port 0.
func hostPort(text string, listen bool) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	return goodHost(host, listen) && goodPort(port, listen)
}

func goodHost(host string, mayBeEmpty bool) bool {
	if host == "" {
		return mayBeEmpty
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	// A name of digits and dots that is no address is a mistyped address.
	return hostName.MatchString(host) && strings.Trim(host, "0123456789.") != ""
}

func goodPort(port string, mayBeZero bool) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && (n > 0 || mayBeZero)
}

// goodEndpoint reports whether text is http(s)://host[:port] and nothing else.
func goodEndpoint(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	if u.Port() != "" && !goodPort(u.Port(), false) || !goodHost(u.Hostname(), false) {
		return false
	}
	return text == u.Scheme+"://"+u.Host && !strings.HasSuffix(u.Host, ":")
}
