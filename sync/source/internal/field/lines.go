package field

import (
	"fmt"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/source"
)

// Lines says how a vendor's lines become items.
type Lines struct {
	Stream schema.Stream
	Order  string // whose detail it is
	// Key is the name of the line's id, for messages.
	Key string
	// Only reports that the line of an order of one line may be without an id: it is the order's then.
	Only bool
	// Decode reads one line. It sets what it can even where the line is to be rejected, for the reject; that includes
	// CreateTime, which is not the line's to set otherwise.
	Decode func(stream schema.Stream, raw string, i *schema.Item, r Row) Row

	// Created is set by Items: the creation time of the order, where the lines say one and agree on it.
	Created time.Time
	differs bool
}

// Items makes items and rejects of lines, each of which is known to be whole. A line that says the same as an earlier one
// is left out; everything else is an item or a reject (I4).
func (l *Lines) Items(lines []string) (items []schema.Item, rejects []schema.Reject) {
	items = make([]schema.Item, 0, len(lines))
	for _, raw := range lines {
		items = append(items, schema.Item{})
		i := &items[len(items)-1]
		r := l.Decode(l.Stream, raw, i, Row{})
		same := false
		if r.Reason == "" {
			same = l.fits(&r, items, len(lines))
		}
		switch {
		case r.Reason != "":
			if i.OrderID == "" || r.Reason == source.RejectWrongOrder {
				i.OrderID = l.Order // whose detail this is
			}
			rejects = append(rejects, rejectedItem(i, &r))
			fallthrough
		case same:
			items = items[:len(items)-1]
		default:
			l.created(i.CreateTime)
			i.CreateTime = time.Time{} // it is the order's
		}
	}
	return items, rejects
}

func (l *Lines) created(t time.Time) {
	switch {
	case t.IsZero() || l.differs:
	case l.Created.IsZero():
		l.Created = t
	case !l.Created.Equal(t):
		l.Created, l.differs = time.Time{}, true
	}
}

// fits checks the last of items against the order that was asked for and against the lines before it. It reports true for
// a line that says the same as an earlier one.
func (l *Lines) fits(r *Row, items []schema.Item, lines int) (same bool) {
	last := len(items) - 1
	i := &items[last]
	if i.OrderID != l.Order {
		r.Fail(source.RejectWrongOrder, fmt.Sprintf("a line of order %s in the detail of order %s", Excerpt(i.OrderID), Excerpt(l.Order)))
		return false
	}
	if i.ItemID == "" {
		if !l.Only {
			r.Fail(source.RejectNoItemID, l.Key+" is missing")
			return false
		}
		if lines > 1 {
			r.Fail(source.RejectNoItemID, l.Key+" is missing in an order of several lines")
			return false
		}
		i.ItemID = i.OrderID
	}
	for k := range items[:last] {
		if items[k].ItemID != i.ItemID {
			continue
		}
		if items[k].Raw == i.Raw {
			return true
		}
		r.Fail(source.RejectDuplicateItem, "two different lines have the id "+Excerpt(i.ItemID))
		return false
	}
	return false
}

// Whole separates stored lines that can be read from those that cannot, which become rejects.
func (l *Lines) Whole(lines []string) (whole []string, broken []schema.Reject) {
	whole = make([]string, 0, len(lines))
	for _, raw := range lines {
		if r := Check(raw); r.Reason != "" {
			broken = append(broken, rejectedItem(&schema.Item{Stream: l.Stream, OrderID: l.Order, Raw: raw}, &r))
			continue
		}
		whole = append(whole, raw)
	}
	return whole, broken
}

// Agreed returns what all lines that say something say, whatever their spelling of it; nothing where they do not agree.
func Agreed(items []schema.Item, text func(*schema.Item) string) string {
	agreed := ""
	for k := range items {
		switch s := text(&items[k]); {
		case s == "":
		case agreed == "":
			agreed = s
		case !strings.EqualFold(agreed, s):
			return ""
		}
	}
	return agreed
}

// AgreedTime is Agreed for times.
func AgreedTime(items []schema.Item, moment func(*schema.Item) time.Time) time.Time {
	var agreed time.Time
	for k := range items {
		switch t := moment(&items[k]); {
		case t.IsZero():
		case agreed.IsZero():
			agreed = t
		case !agreed.Equal(t):
			return time.Time{}
		}
	}
	return agreed
}
