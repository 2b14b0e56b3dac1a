package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Lease is a daemon's claim on an account. ClickHouse has no compare-and-swap, so a claim is not a lock: two daemons may
// for a moment both believe that they lead, and what they store must be right all the same.
type Lease struct {
	Account string
	Holder  string    // random
	Process string    // for a person
	Since   time.Time // by the server's clock
}

// LeaseLife is how long a claim lives without being renewed. All daemons of a warehouse must agree on it.
const LeaseLife = 40 * time.Second

// lives is the condition that a claim was renewed in time, and live the claims that were. All times are of the server's clock: those
// of hosts differ.
var (
	lives = fmt.Sprintf("NOT released AND renewed_at > now64(6) - toIntervalMillisecond(%d) ", LeaseLife.Milliseconds())
	live  = " sync_leases FINAL WHERE " + lives
)

// ClaimLeases claims accounts for a holder, or renews its claims, and returns the claim that leads each of them. A claim
// that was not renewed in time has lost its place and is a new one.
func (s *Sink) ClaimLeases(ctx context.Context, holder, process string, accounts []string) (map[string]Lease, error) {
	// One statement reads the old claim and writes the new one, by one clock. It is not tried again: the next one comes soon.
	err := s.conn.Exec(ctx, `INSERT INTO sync_leases (account, holder, process, since, renewed_at, released)
		SELECT name, ?, ?, if(toUnixTimestamp64Micro(old.since) = 0, now64(6, 'UTC'), old.since), now64(6, 'UTC'), 0
		FROM (SELECT arrayJoin(?) AS name) AS new
		LEFT JOIN (SELECT account, since FROM`+live+`AND holder = ?) AS old ON old.account = new.name`,
		holder, process, accounts, holder)
	if err != nil {
		return nil, fmt.Errorf("claim the accounts: %w", err)
	}
	return s.Leases(ctx)
}

// Leases returns the claim that leads each account, by account. One that nobody claims is not there.
func (s *Sink) Leases(ctx context.Context) (map[string]Lease, error) {
	leads, err := collect(ctx, s, "SELECT account, holder, process, toUnixTimestamp64Milli(since) FROM"+live+
		"ORDER BY account, since, holder LIMIT 1 BY account", nil, func(rows driver.Rows) (l Lease, err error) {
		var since int64
		err = rows.Scan(&l.Account, &l.Holder, &l.Process, &since)
		l.Since = fromMilliseconds(since)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the claims on the accounts: %w", err)
	}
	out := map[string]Lease{}
	for _, l := range leads {
		out[l.Account] = l
	}
	return out, nil
}

// LastLease is the claim that leads an account, or the last one that did.
type LastLease struct {
	Lease
	Live     bool
	Renewed  time.Time // its last sign of life, by the server's clock
	Released bool      // it ended by a stop, and not by silence
}

// LastLeases returns, by account, the claim that leads it, or the last one of the past day where none does.
func (s *Sink) LastLeases(ctx context.Context) (map[string]LastLease, error) {
	leads, err := collect(ctx, s, `SELECT account, holder, process, toUnixTimestamp64Milli(since), toUnixTimestamp64Milli(renewed_at), released,
		`+lives+`AS lives
		FROM sync_leases FINAL ORDER BY account, lives DESC, if(lives, toUnixTimestamp64Micro(since), -toUnixTimestamp64Micro(renewed_at)), holder
		LIMIT 1 BY account`, nil, func(rows driver.Rows) (l LastLease, err error) {
		var since, renewed int64
		var released, lives uint8
		err = rows.Scan(&l.Account, &l.Holder, &l.Process, &since, &renewed, &released, &lives)
		l.Since, l.Renewed, l.Released, l.Live = fromMilliseconds(since), fromMilliseconds(renewed), released != 0, lives != 0
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the claims on the accounts: %w", err)
	}
	out := map[string]LastLease{}
	for _, l := range leads {
		out[l.Account] = l
	}
	return out, nil
}

// ReleaseLeases returns the claims of a holder back, so that another one can lead at once.
func (s *Sink) ReleaseLeases(ctx context.Context, holder string) error {
	err := s.conn.Exec(ctx, `INSERT INTO sync_leases (account, holder, process, since, renewed_at, released)
		SELECT account, holder, process, since, now64(6, 'UTC'), 1 FROM sync_leases FINAL WHERE holder = ?`, holder)
	if err != nil {
		return fmt.Errorf("give the accounts back: %w", err)
	}
	return nil
}
