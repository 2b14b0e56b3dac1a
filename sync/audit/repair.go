package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
	"github.com/ordersync/ordersync/sync/window"
)

// repairAll lists the windows with differences again, fetches the orders that were named, and then looks again, as deep as
// they were found. Repaired is what was listed completely in this run and then not found again (I12).
func (v *verification) repairAll(ctx context.Context) error {
	due, orders := map[int64]bool{}, map[string]bool{}
	for _, d := range v.found {
		for _, w := range d.Tile(v.run.Window) {
			due[w.Start.Unix()] = true
		}
		if d.OrderID != "" {
			orders[d.OrderID] = true
		}
	}
	ledger, err := v.run.Store.Windows(ctx, v.run.Stream.Stream, v.iv.Start, v.run.Now)
	if err != nil {
		return err
	}
	var windows []window.Interval
	for _, w := range v.iv.Tile(v.run.Window) {
		if due[w.Start.Unix()] {
			windows = append(windows, w)
		}
	}
	if err := v.run.List(ctx, stream.RepairJobs(windows, ledger, orders)); err != nil {
		return err
	}
	if err := v.run.Commits.Flush(); err != nil {
		return err
	}
	lack, err := v.undetailed(ctx, slices.Collect(maps.Keys(orders)))
	if err != nil {
		return err
	}
	again, err := v.again(ctx)
	if failed := again.looks.narrow(ctx, v.run, v.found); failed != nil {
		return errors.Join(err, failed)
	}
	for i := range v.found {
		d := &v.found[i]
		why := v.unrepaired(d)
		switch {
		case why != "":
		case again.looks.foreign[d.finding.ID]:
			why = "it was found with other filters than the account has now (accounts[].filters): only a look with those, or without any, ends it"
		case lack[d.OrderID]:
			why = "it was listed whole, and its detail could not be had"
		case slices.ContainsFunc(again.found, func(f Difference) bool { return f.alike(d) }):
			why = "it was listed whole, and still differs"
		case !again.looks.cover(d):
			why = "it was listed whole, and could not be compared again"
		default:
			d.Repaired = true
			continue
		}
		d.Why = why
	}
	for _, f := range again.found { // what came to light only now
		if !slices.ContainsFunc(v.found, func(d Difference) bool { return f.alike(&d) }) {
			v.found = append(v.found, f)
		}
	}
	return err
}

// undetailed returns those of some orders whose detail could not be had, if nobody has accepted that: their items are of before.
func (v *verification) undetailed(ctx context.Context, ids []string) (map[string]bool, error) {
	stored, err := v.run.Store.Places(ctx, v.run.Stream.Account, ids)
	if err != nil {
		return nil, err
	}
	rejects, err := v.run.Rejects.Look(ctx, nil, ids)
	if err != nil {
		return nil, err
	}
	defer rejects.Close()
	out := map[string]bool{}
	for _, p := range stored {
		if p.OwnerID == v.run.Stream.OwnerID && p.DetailStatus != schema.DetailOK && !rejects.Waits(p.OrderID, v.run.Now, true) {
			out[p.OrderID] = true
		}
	}
	return out, nil
}

// unrepaired says why nothing was learned of a difference in this run, or nothing.
func (v *verification) unrepaired(d *Difference) string {
	if why, all := v.run.ListedAll(d.Align(v.run.Window)); !all {
		return strings.TrimSuffix("its window was not listed whole: "+why, ": ")
	}
	return ""
}

// again looks again at all differences, each as deep as it was found.
func (v *verification) again(ctx context.Context) (*verification, error) {
	again := &verification{run: v.run, warehouse: v.warehouse, iv: v.iv, looks: new(looks)}
	complete, err := again.audit(ctx)
	if err != nil {
		return again, err
	}
	if err := again.doubled(ctx); err != nil {
		return again, err
	}
	at := map[Depth]*window.Set{ByRows: {}, ByCount: {}, ByPayload: {}, ByLedger: {}, ByDetail: {}}
	for i := range v.found {
		d := &v.found[i]
		if v.unrepaired(d) == "" {
			at[d.Depth].Add(d.Align(v.run.Window).Clip(v.iv))
		}
	}
	clipped := func(set *window.Set) (out []window.Interval) {
		for _, iv := range *set {
			for _, c := range complete {
				if part := iv.Clip(c); !part.Empty() {
					out = append(out, part)
				}
			}
		}
		return out
	}
	for _, iv := range clipped(at[ByRows]) {
		if err := again.compare(ctx, iv); err != nil {
			return again, err
		}
	}
	for _, iv := range clipped(at[ByCount]) {
		if again.looks.covers(ByCount, iv) {
			continue
		}
		for _, c := range complete {
			if part := iv.Clip(c); !part.Empty() {
				if err := again.counts(ctx, part, c); err != nil {
					return again, err
				}
			}
		}
	}
	for _, iv := range *at[ByPayload] {
		if err := again.rows(ctx, iv); err != nil {
			return again, err
		}
	}
	return again, nil
}
