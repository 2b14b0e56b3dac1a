package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/engine"
	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/bss"
)

// login is one configured account, ready to be called.
type login struct {
	name   string
	client *bss.Client // nil where nobody is to be called
	list   *source.Budget
	detail *source.Budget
	lane   engine.Lane
	calls  atomic.Int64 // made so far, whatever came of them
}

// newLogin wires an account: client, budgets, retries, metrics. One login has one budget for each API, shared by all
// that call it.
func newLogin(a *config.Account, m *Metrics, offline bool) (*login, error) {
	inFlight := inFlight(a.Quota)
	l := &login{name: a.Name, list: source.NewBudget(a.Quota.List), detail: source.NewBudget(a.Quota.Detail)}
	l.lane = engine.Lane{
		Lane:   schema.Lane{Source: a.Source, Account: a.Name},
		Source: offlineSource{}, Decoder: bss.Decoder{}, PageSize: a.PageSize, InFlight: inFlight,
	}
	if offline {
		return l, nil
	}
	client, err := NewClient(a, inFlight, nil)
	if err != nil {
		return nil, err
	}
	l.client = client
	l.lane.Source = source.NewCaller(client, l.list, l.detail, source.DefaultPolicy, func(api string, r source.Reason, d time.Duration) {
		l.calls.Add(1)
		m.called(a.Name, api, r, d)
	})
	return l, nil
}

func (l *login) close() {
	if l.client != nil {
		l.client.Close()
	}
}

// offlineSource stands for a vendor that must not be called.
type offlineSource struct{}

var errOffline = errors.New("this verb makes no call to the vendor")

// List is part of engine.Source.
func (offlineSource) List(context.Context, source.Query) (source.Page, error) {
	return source.Page{}, errOffline
}

// Detail is part of engine.Source.
func (offlineSource) Detail(context.Context, string, string) (source.Detail, error) {
	return source.Detail{}, errOffline
}

// NewClient makes the client of an account. transport is nil but for those who want to look at the answers.
func NewClient(a *config.Account, inFlight int, transport http.RoundTripper) (*bss.Client, error) {
	c := &a.Credentials
	return bss.New(bss.Options{
		Account: a.Name, Site: a.Site, Endpoint: a.Endpoint, APIVersion: a.APIVersion,
		MaxInFlight: 2 * inFlight, Transport: transport,
		Credentials: bss.Credentials{
			Type:            string(c.Kind()),
			AccessKeyID:     c.AccessKeyID,
			AccessKeySecret: c.AccessKeySecret.Reveal(),
			SecurityToken:   c.SecurityToken.Reveal(),
			RoleARN:         c.RoleARN,
			RoleSessionName: c.RoleSessionName,
			Policy:          c.Policy,
			ExternalID:      c.ExternalID.Reveal(),
			RoleName:        c.ECSRoleName,
			OIDCProviderARN: c.OIDCProviderARN,
			OIDCTokenFile:   c.OIDCTokenFile,
			URI:             c.CredentialsURI.Reveal(),
		},
	})
}

// inFlight is how many calls may be under way at once: enough to use the quota to the full while an answer takes up to
// two seconds, and bounded both ways.
func inFlight(q config.Quota) int {
	const least, most = 8, 256
	return int(min(max(2*max(q.List, q.Detail), least), most))
}

// Supported refuses, all at once, what the configuration may say and this version cannot do. A key that is silently
// without effect would be a hole in the data.
func Supported(c *config.Config) error {
	var problems []config.Problem
	refuse := func(field, format string, args ...any) {
		problems = append(problems, config.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	for i := range c.Accounts {
		a := &c.Accounts[i]
		at := fmt.Sprintf("accounts[%d].", i)
		if a.Source != config.SourceBSS {
			refuse(at+"source", "source %s is not supported yet (only %s is; remove the account for now)", a.Source, config.SourceBSS)
			continue
		}
		if a.APIVersion != config.APIVersion2017 {
			refuse(at+"api_version", "%s is not supported yet (use %s)", a.APIVersion, config.APIVersion2017)
		}
		if len(a.OwnerIDs) > 0 {
			refuse(at+"owner_ids", "owner ids are not supported yet (remove them for now)")
		}
		if len(a.MemberUIDs) > 0 {
			refuse(at+"member_uids", "member accounts are not supported yet (remove them for now)")
		}
	}
	if c.ClickHouse.Cluster != "" {
		refuse("clickhouse.cluster", "clusters are not supported yet (remove it for now)")
	}
	if len(problems) > 0 {
		return &config.Error{File: c.File, Problems: problems}
	}
	return nil
}
