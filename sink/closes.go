package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/ordersync/ordersync/schema"
)

// Figures are what the lines of one account and currency came to in a span of creation times, as spend has them.
type Figures struct {
	Account     string       `ch:"account,label" json:"account"`
	Currency    string       `ch:"currency,label" json:"currency"` // empty = none sent, or the account has no line
	Orders      uint64       `ch:"orders" json:"orders"`           // that have lines
	Items       uint64       `ch:"items" json:"items"`
	Paid        schema.Money `ch:"paid" json:"paid"` // before tax, like all but NetAfterTax
	Refunded    schema.Money `ch:"refunded" json:"refunded"`
	Net         schema.Money `ch:"net" json:"net"`
	Tax         schema.Money `ch:"tax" json:"tax"`
	NetAfterTax schema.Money `ch:"net_after_tax" json:"net_after_tax"`
	Unpaid      schema.Money `ch:"unpaid" json:"unpaid"`
	Digest      string       `ch:"digest" json:"digest"` // of the money of all lines, see [schema.DigestSQL]; empty where there is none
}

// Equal reports whether both are the same to the digit.
func (f Figures) Equal(g Figures) bool { return fmt.Sprint(f) == fmt.Sprint(g) }

// Close is one row of closes: what one account and currency came to when a month was closed.
type Close struct {
	Month    time.Time `ch:"month"`       // its first day, as midnight in UTC
	Zone     string    `ch:"zone,label"`  // IANA name of the reporting zone
	Start    time.Time `ch:"month_start"` // when the month begins in the zone
	End      time.Time `ch:"month_end"`   // exclusive
	ClosedAt time.Time `ch:"closed_at"`   // what was received until then counts
	ClosedBy string    `ch:"closed_by"`
	Figures
}

var closeTable = newTable("close_rows", func(c *Close) string {
	return "close of " + c.Month.Format("2006-01") + " for account " + c.Account
})

// WriteClose records the close of a month: all of its rows in one insert.
func (s *Sink) WriteClose(ctx context.Context, rows []Close) error {
	return write(ctx, s, closeTable, rows)
}

// Closes returns the closes of all months, the oldest month and close first.
func (s *Sink) Closes(ctx context.Context) ([]Close, error) { return s.closes(ctx, "1") }

// ClosesOf returns the closes of a month, the oldest one first.
func (s *Sink) ClosesOf(ctx context.Context, month time.Time) ([]Close, error) {
	return s.closes(ctx, "month = fromUnixTimestamp64Milli(?, 'UTC')", bound(month))
}

func (s *Sink) closes(ctx context.Context, where string, args ...any) ([]Close, error) {
	out, err := collect(ctx, s, closeTable.all()+" FINAL WHERE "+where+" ORDER BY month, closed_at, account, currency", args, closeTable.scan)
	if err != nil {
		return nil, fmt.Errorf("read the closes: %w", err)
	}
	return out, nil
}

// Figures adds up spend over the orders created in [from, to) as they were known at a moment, by account and currency. A moment
// before the first sync of an account is an error.
func (s *Sink) Figures(ctx context.Context, from, to, moment time.Time) ([]Figures, error) {
	return s.figures(ctx, from, to, moment, "")
}

// FiguresOf is Figures for some accounts: none where none are given.
func (s *Sink) FiguresOf(ctx context.Context, from, to, moment time.Time, accounts []string) ([]Figures, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	return s.figures(ctx, from, to, moment, " AND account IN (?)", accounts)
}

func (s *Sink) figures(ctx context.Context, from, to, moment time.Time, where string, args ...any) ([]Figures, error) {
	args = append([]any{bound(from), bound(to)}, args...)
	out, err := collect(ctx, s, `SELECT account, currency, uniqExact(owner_id, order_id), count(), sum(paid), sum(refunded), sum(net), sum(tax),
			sum(net_after_tax), sum(unpaid), `+schema.DigestSQL()+`
		FROM spend_as_of(moment = `+schema.Quote(moment.UTC().Format("2006-01-02 15:04:05.000"))+`)
		WHERE create_time >= fromUnixTimestamp64Milli(?, 'UTC') AND create_time < fromUnixTimestamp64Milli(?, 'UTC')`+where+`
		GROUP BY account, currency ORDER BY account, currency`, args, func(rows driver.Rows) (f Figures, err error) {
		var sums [6]*decimal.Decimal
		err = rows.Scan(&f.Account, &f.Currency, &f.Orders, &f.Items, &sums[0], &sums[1], &sums[2], &sums[3], &sums[4], &sums[5], &f.Digest)
		for i, to := range []*schema.Money{&f.Paid, &f.Refunded, &f.Net, &f.Tax, &f.NetAfterTax, &f.Unpaid} {
			*to = money(sums[i])
		}
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("add up the month: %w", err)
	}
	return out, nil
}
