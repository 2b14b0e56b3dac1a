package config

import (
	"log/slog"
	"time"

	// A timezone name that is valid on a developer's machine must be valid in a
	// container without /usr/share/zoneinfo too.
	_ "time/tzdata"

	"github.com/ordersync/ordersync/sync/source/bss"
	"github.com/ordersync/ordersync/sync/source/domain"
	"github.com/ordersync/ordersync/sync/source/unicloud"
)

// The sources that an account can have.
const (
	SourceBSS      = bss.Vendor
	SourceDomain   = domain.Vendor
	SourceUniCloud = unicloud.Vendor
)

// The sites of Alibaba Cloud. A site is a property of the account, not of a
// region: an account exists on one of them only.
const (
	SiteChina         = bss.China
	SiteInternational = bss.International
)

// The versions of the BSS API that are spoken.
const (
	APIVersion2017 = bss.Version2017 // QueryOrders, with owner_ids
	APIVersion2023 = bss.Version2023 // GetOrders, with member_uids
)

// The values of log.format.
const (
	FormatAuto = "auto" // text on a terminal, JSON elsewhere
	FormatText = "text"
	FormatJSON = "json"
)

// Config is the whole configuration. A Config that Load or Parse returned is
// complete and checked.
type Config struct {
	// File is where the configuration came from, for messages; it is empty when
	// there was no file.
	File string `yaml:"-"`
	// Variables are the settings of the environment that were taken, by the names
	// of their variables.
	Variables []string `yaml:"-"`

	Accounts   []Account  `yaml:"accounts"`
	ClickHouse ClickHouse `yaml:"clickhouse"`
	Schedule   Schedule   `yaml:"schedule"`
	Reporting  Reporting  `yaml:"reporting"`
	HTTP       HTTP       `yaml:"http"`
	Notify     Notify     `yaml:"notify"`
	Log        Log        `yaml:"log"`
}

// Account is one login at one vendor.
type Account struct {
	// Name labels every row, metric and message of the account.
	Name   string `yaml:"name"`
	Source string `yaml:"source"`
	// Site is SiteChina or SiteInternational for SourceBSS, otherwise empty.
	Site string `yaml:"site"`
	// Endpoint overrides the vendor's address: http(s)://host[:port], no path.
	Endpoint string `yaml:"endpoint"`
	// APIVersion is APIVersion2017 or APIVersion2023 for SourceBSS, otherwise empty.
	APIVersion string `yaml:"api_version"`
	// SignatureVersion is what SourceUniCloud sends under that name; the vendor's
	// own documents disagree about it. It is empty for other sources.
	SignatureVersion string `yaml:"signature_version"`
	// Timezone is the IANA name of the zone in which a vendor writes times that
	// name none: SourceUniCloud and SourceDomain. It is empty for SourceBSS.
	Timezone    string      `yaml:"timezone"`
	Credentials Credentials `yaml:"credentials"`
	// OwnerIDs are customers of a reseller whose orders are synced too
	// (APIVersion2017). They are decimal numbers that fit an int64.
	OwnerIDs []string `yaml:"owner_ids"`
	// MemberUIDs are member accounts whose orders are synced too (APIVersion2023).
	// They are decimal numbers that fit an int64.
	MemberUIDs []string `yaml:"member_uids"`
	// Filters narrow what is synced to some of the account's orders.
	Filters  Filters `yaml:"filters"`
	Quota    Quota   `yaml:"quota"`
	PageSize int     `yaml:"page_size"`
}

// Filters are the filters of a vendor's order list: each takes one value, and an order has to match all that are given.
// SourceBSS has all of them, SourceUniCloud ProductCode only (its ProductCategory), SourceDomain none.
type Filters struct {
	ProductCode      string `yaml:"product_code"`
	ProductType      string `yaml:"product_type"`
	SubscriptionType string `yaml:"subscription_type"`
	OrderType        string `yaml:"order_type"`
}

// Quota bounds the calls per second, by the kind of call.
type Quota struct {
	List   float64 `yaml:"list"`
	Detail float64 `yaml:"detail"`
}

// Ports are of the embedded server, on the loopback interface.
type Ports struct {
	Native int `yaml:"native"`
	HTTP   int `yaml:"http"`
}

// ClickHouse says where the warehouse is: in a folder of this machine (Embedded)
// or on servers (Addr). Exactly one of the two is set.
type ClickHouse struct {
	// Embedded is the folder of the embedded server, relative to the working
	// directory.
	Embedded string `yaml:"embedded"`
	// Ports are where the embedded server listens; 0 is any free port.
	Ports Ports `yaml:"ports"`
	// Addr lists host:port addresses of the native protocol.
	Addr     []string `yaml:"addr"`
	Database string   `yaml:"database"`
	Username string   `yaml:"username"`
	Password Secret   `yaml:"password"`
	// Secure speaks TLS, checked against the system's certificate authorities.
	Secure bool `yaml:"secure"`
	// Cluster is the name of a cluster of the servers' configuration: replicated
	// tables, Distributed reads and writes. It is empty for one server.
	Cluster string `yaml:"cluster"`
	// HTTP is where `ordersync sql` finds the servers' HTTP interface: host:port or
	// http(s)://host:port. It is empty where the server is to be asked for the port.
	HTTP string `yaml:"http"`
	// Reader is the user of `ordersync sql` on servers. It is empty where there is none.
	Reader Reader `yaml:"reader"`
}

// Reader is a user of the servers who may only read.
type Reader struct {
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
}

// Schedule says when the daemon works and what a scheduled run lists again.
type Schedule struct {
	// Cron is what cron.ParseStandard takes: five fields or a descriptor.
	Cron string `yaml:"cron"`
	// Window is the length of a window. It divides a day.
	Window time.Duration `yaml:"window"`
	// Settle is how long after its end a window may still receive orders.
	Settle time.Duration `yaml:"settle"`
	// Lookback is how far back closed windows are listed again.
	Lookback time.Duration `yaml:"lookback"`
	// Sweep is how far back unpaid orders are looked at again.
	Sweep time.Duration `yaml:"sweep"`
	// Recheck are the ages, ascending, at which the detail of a young order is fetched again, because vendors deliver after the
	// payment. It is empty for never.
	Recheck []time.Duration `yaml:"recheck"`
	// Scrub is within what time all of the past is listed and compared again. It is zero for never.
	Scrub time.Duration `yaml:"scrub"`
	// ScrubDetails is within what time the details of all of the past are fetched and compared again. It is zero for never. See
	// DetailsWithin.
	ScrubDetails time.Duration `yaml:"scrub_details"`
	// Quiet is how seldom an owner may be asked that orders nothing, of an account with several. It is at most Lookback, and 0
	// for every scheduled run.
	Quiet time.Duration `yaml:"quiet"`
}

// defaultScrubDetails is what ScrubDetails is where the file says nothing.
const defaultScrubDetails = 180 * day

// DetailsWithin is within what time the details of so many orders are fetched again, where the quota is so many calls a second: zero
// for never, as where the default would take more than a fifth of the quota. Who wants that says so.
func (s *Schedule) DetailsWithin(orders uint64, quota float64) time.Duration {
	if s.ScrubDetails == defaultScrubDetails && float64(orders) > quota/5*s.ScrubDetails.Seconds() {
		return 0
	}
	return s.ScrubDetails
}

// Reporting says how the views and the status page tell days and months.
type Reporting struct {
	// Timezone is the IANA name of the zone in which a day and a month begin. Stored times are UTC whatever it is.
	Timezone string `yaml:"timezone"`
	// Refresh is how often the server makes the view spend_stored anew; 0 where there is to be none.
	Refresh time.Duration `yaml:"refresh"`
}

// HTTP is the status page, the metrics and the health checks.
type HTTP struct {
	// Listen is host:port; port 0 takes a free one.
	Listen string `yaml:"listen"`
	// Hosts are further host names that the server is called by, without ports.
	Hosts []string `yaml:"hosts"`
}

// The values of notify.format.
const (
	NotifyJSON     = "json"
	NotifyDingTalk = "dingtalk"
	NotifyFeishu   = "feishu"
	NotifyWeCom    = "wecom"
	NotifySlack    = "slack"
)

// Notify is where the daemon tells of a diagnosis that changes; nowhere where URL is empty.
type Notify struct {
	// URL is where messages are posted. That of a robot holds its key, so it is shown nowhere.
	URL Secret `yaml:"url"`
	// Format is one of NotifyJSON and so on.
	Format string `yaml:"format"`
	// Secret signs messages for NotifyDingTalk and NotifyFeishu. It is empty where the robot has none.
	Secret Secret `yaml:"secret"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Default returns the configuration of an empty file: no accounts, an embedded
// warehouse in the working directory.
func Default() *Config {
	return &Config{
		ClickHouse: ClickHouse{
			Embedded: "./ordersync-data",
			Database: "ordersync",
			Username: "default",
		},
		Schedule: Schedule{
			Cron:     "*/5 * * * *",
			Window:   time.Hour,
			Settle:   2 * time.Minute,
			Lookback: 24 * time.Hour,
			Sweep:    192 * time.Hour,
			Recheck:  []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour},
			Scrub:    30 * day, ScrubDetails: defaultScrubDetails,
			Quiet: 6 * time.Hour,
		},
		Reporting: Reporting{Timezone: "UTC"},
		HTTP:      HTTP{Listen: "127.0.0.1:9464"},
		Notify:    Notify{Format: NotifyJSON},
		Log:       Log{Level: "info", Format: FormatAuto},
	}
}

// NewAccount returns an account with every default of its source. It is what an
// account of the file becomes when only name and source are given.
func NewAccount(name, source string) Account {
	a := blankAccount()
	a.Name, a.Source = name, source
	a.complete()
	return a
}

// blankAccount holds the defaults that do not depend on the source. A file is
// decoded over it.
func blankAccount() Account {
	return Account{
		Quota:    Quota{List: 10, Detail: 10},
		PageSize: 20, // The vendor advises at most 20 orders a page.
	}
}

// complete fills what depends on other values of the account. It runs after
// decoding, because the source may stand anywhere in the account.
func (a *Account) complete() {
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	switch a.Source {
	case SourceBSS:
		fill(&a.Site, SiteChina)
		fill(&a.APIVersion, APIVersion2017)
	case SourceUniCloud:
		fill(&a.SignatureVersion, "1.0")
		fill(&a.Timezone, "Asia/Shanghai")
	case SourceDomain:
		fill(&a.Timezone, "Asia/Shanghai")
	}
}

// Location returns the zone of times that the vendor writes without one. It is
// UTC for a source whose times carry their zone.
func (a *Account) Location() *time.Location {
	loc, err := time.LoadLocation(a.Timezone)
	if err != nil {
		return time.UTC // Unreachable for an account that was checked.
	}
	return loc
}

// IsEmbedded reports whether the warehouse is the embedded server.
func (c *ClickHouse) IsEmbedded() bool { return c.Embedded != "" }

// SlogLevel returns the level as slog knows it.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo // Unreachable for a configuration that was checked.
	}
	return level
}

// RequireAccounts returns an error when no account is configured. Verbs that
// speak to a vendor call it; those that only read the warehouse do not need to.
func (c *Config) RequireAccounts() error {
	if len(c.Accounts) > 0 {
		return nil
	}
	return &Error{File: c.File, Problems: []Problem{{
		Field:   "accounts",
		Message: "no account is configured (add one; config.example.yaml shows how, `ordersync init` writes a file with one, and ORDERSYNC_ACCOUNTS_0_NAME begins one in the environment)",
	}}}
}
