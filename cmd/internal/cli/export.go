package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// monthLayout is how a month is written, in a file's name too.
const monthLayout = "2006-01"

func (p *program) export() *cobra.Command {
	var every, to, from string
	cmd := &cobra.Command{
		Use:   "export --every month --to DIR",
		Short: "Write the months that are over as Parquet files",
		Long: `Write the line items with their money (the view spend) of each month that is over,
one Parquet file a month: DIR/spend-2026-10.parquet. A month is one of creation, in
the reporting zone.

A file is written once: a month that is there is left alone, whatever has changed
since. It appears when it is complete. A month that the ledger does not hold whole
of each configured account is refused: hours are missing or not complete, records
were rejected and not accepted, a verification found differences, or orders have no
items yet. The exit code is 1 then, and what is to
be done is said; what was never to be copied is left out by --from.`,
		Example: `  ordersync export --every month --to /srv/archive
  ordersync export --every month --to /srv/archive --from 2026-01 --json`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&every, "every", "month", "the `period` of a file; month is the one there is")
	f.StringVar(&to, "to", "", "the `folder` for the files; it is made where it is missing")
	f.StringVar(&from, "from", "", "begin with the month of this `time`: "+timeHelp+" (default: the first month of the ledger)")
	f.BoolVar(&p.machine, "json", false, "print the result as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case every != "month":
			return usage(cmd, fmt.Errorf("--every %s: month is the one period there is", every))
		case to == "":
			return usage(cmd, errors.New("--to is required: the folder for the files"))
		}
		now := time.Now()
		r, err := parseRange(from, "", now)
		if err != nil {
			return usage(cmd, err)
		}
		return p.withWarehouse(cmd.Context(), p.loadForReading, app.WarehouseOptions{ReadOnly: true, AsReader: true}, func(cfg *config.Config, w *app.Warehouse) error {
			report, err := p.runExport(cmd.Context(), cfg, w, to, r.Start, now)
			if report != nil { // what was written stays, whatever came then
				p.report(report, func() { p.exportText(report) })
				if err == nil && len(report.Refused) > 0 {
					err = &exitError{code: exitFailure}
				}
			}
			return err
		})
	}
	return cmd
}

// exportReport says what became of each month, in the order of time.
type exportReport struct {
	Folder  string          `json:"folder"`
	Zone    string          `json:"zone"`
	Written []exportedMonth `json:"written"`
	Skipped []exportedMonth `json:"skipped"` // they were there
	Refused []refusedMonth  `json:"refused"`
}

type exportedMonth struct {
	Month string `json:"month"`
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

type refusedMonth struct {
	Month   string   `json:"month"`
	Reasons []string `json:"reasons"` // one for each thing that is to be done
}

func (p *program) exportText(r *exportReport) {
	for _, m := range r.Written {
		fmt.Fprintf(p.out, "written  %s  %s, %s bytes\n", m.Month, m.File, count(m.Bytes))
	}
	for _, m := range r.Skipped {
		fmt.Fprintf(p.out, "skipped  %s  %s is there\n", m.Month, m.File)
	}
	for _, m := range r.Refused {
		for _, reason := range m.Reasons {
			fmt.Fprintf(p.out, "refused  %s  %s\n", m.Month, reason)
		}
	}
	fmt.Fprintf(p.out, "%s written, %d skipped, %d refused (%s)\n", plural(len(r.Written), "month"), len(r.Skipped), len(r.Refused), r.Zone)
}

// runExport writes the months up to the first error. The report is nil where nothing was begun.
func (p *program) runExport(ctx context.Context, cfg *config.Config, w *app.Warehouse, folder string, from, now time.Time) (*exportReport, error) {
	months, err := months(ctx, w, app.Streams(cfg), from, now)
	if err != nil {
		return nil, err
	}
	s, err := p.session(ctx, w, false)
	if err != nil {
		return nil, err
	}
	s.format = "Parquet"
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	r := &exportReport{Folder: folder, Zone: w.Zone().String(), Written: []exportedMonth{}, Skipped: []exportedMonth{}, Refused: []refusedMonth{}}
	var done atomic.Int64
	var pace stream.Pace
	stop := p.follow(ctx, &task{verb: "export", state: func() state {
		n, all := done.Load(), int64(len(months))
		share := float64(n) / float64(max(all, 1))
		return state{share: share, ends: pace.Ends(time.Now(), share), done: n, total: all, unit: "month"}
	}})
	defer stop()
	for i := range months {
		if err := s.month(ctx, folder, &months[i], r); err != nil {
			return r, fmt.Errorf("%s: %w", months[i].name(), err)
		}
		done.Add(1)
	}
	return r, nil
}

// month writes one month, where that is still to be done and can be.
func (s *session) month(ctx context.Context, folder string, m *month, r *exportReport) error {
	file := "spend-" + m.name() + ".parquet"
	path := filepath.Join(folder, file)
	if info, err := os.Stat(path); err == nil {
		r.Skipped = append(r.Skipped, exportedMonth{m.name(), file, info.Size()})
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if m.undone != nil {
		r.Refused = append(r.Refused, refusedMonth{m.name(), m.undone})
		return nil
	}
	s.params = url.Values{"param_from": {m.Start.UTC().Format(time.DateTime)}, "param_to": {m.End.UTC().Format(time.DateTime)}}
	const query = `SELECT * FROM spend WHERE create_time >= {from:DateTime64(3, 'UTC')} AND create_time < {to:DateTime64(3, 'UTC')}
		ORDER BY account, owner_id, create_time, order_id, item_id`
	if err := s.into(path, func() error { return s.runAll(ctx, []statement{{text: query}}) }); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	r.Written = append(r.Written, exportedMonth{m.name(), file, info.Size()})
	return nil
}

// month is a month that is over. It begins and ends in the reporting zone.
type month struct {
	window.Interval
	first  time.Time // its first day
	undone []string  // what keeps it from being whole, and what to do; nil for a whole one
}

func (m *month) name() string { return m.first.Format(monthLayout) }

// months are those that are over, from the one of a date in UTC, or else the first of the ledger. A month is whole where
// nothing lacks of each expected stream. Where the configuration names none, each stream of the ledger is expected.
func months(ctx context.Context, w *app.Warehouse, expected []status.Expected, from, now time.Time) ([]month, error) {
	streams, err := w.Summaries(ctx, nil)
	if err != nil {
		return nil, err
	}
	first := now
	for _, s := range streams {
		if s.Oldest.Before(first) {
			first = s.Oldest
		}
	}
	year, number, _ := first.In(w.Zone()).Date()
	if !from.IsZero() {
		year, number, _ = from.Date() // 2026-01 means January in any zone
	}
	var out []month
	for i := 0; ; i++ {
		m := month{first: time.Date(year, number+time.Month(i), 1, 0, 0, 0, 0, time.UTC)}
		if m.Interval = w.Month(m.first); m.End.After(now) {
			break
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		return nil, nil
	}
	if len(expected) == 0 {
		for _, s := range streams {
			expected = append(expected, status.Expected{Stream: s.Stream})
		}
	}
	ranges := make([]window.Interval, len(out))
	for i := range out {
		ranges[i] = out[i].Interval
	}
	lacks, err := w.Lacks(ctx, expected, ranges...)
	if err != nil {
		return nil, err
	}
	for i := range out {
		for _, l := range lacks[i] {
			out[i].undone = append(out[i].undone, l.Error())
		}
	}
	return out, nil
}
