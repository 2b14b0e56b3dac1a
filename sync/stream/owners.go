package stream

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/walk"
)

// OtherOwner is the reason of a reject of an order that is stored for another owner. The key of a row has no owner: two rows
// with the same id and creation time would take turns.
const OtherOwner = "other_owner"

// elsewhere looks up the listed orders that are not stored within the listing's interval, and adds those that are stored
// at another place to what is known. An order that another owner has at this very place is made a reject.
func (r *Run) elsewhere(ctx context.Context, l *walk.Listing, known map[string]schema.Known) error {
	if none, err := r.cache.nothingStored(ctx); none || err != nil {
		return err
	}
	var ids []string
	for _, o := range l.Orders {
		if _, ok := known[o.OrderID]; !ok {
			ids = append(ids, o.OrderID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	stored, err := r.Store.Places(ctx, r.Stream.Account, ids)
	if err != nil {
		return err
	}
	others := map[string]schema.Place{}
	for _, p := range stored {
		if p.OwnerID != r.Stream.OwnerID {
			others[p.OrderID] = p
			continue
		}
		known[p.OrderID] = p.Known
	}
	l.Orders = slices.DeleteFunc(l.Orders, func(o *schema.Order) bool {
		if _, own := known[o.OrderID]; own {
			return false
		}
		p, ok := others[o.OrderID]
		if !ok || !Same(p.CreateTime, o.CreateTime) {
			if !r.Siblings {
				return false
			}
			if p.OwnerID = r.Owners.take(o); p.OwnerID == r.Stream.OwnerID {
				return false
			}
		}
		l.Rejects = append(l.Rejects, schema.Reject{
			Stream: o.Stream, ID: "owner-" + o.OrderID, Stage: schema.RejectList, OrderID: o.OrderID, CreateTime: o.CreateTime, Reason: OtherOwner,
			Message: fmt.Sprintf("an order with this id and creation time is stored for %s; the warehouse cannot hold both: sync it for one of them only",
				schema.Stream{Account: r.Stream.Account, OwnerID: p.OwnerID}),
			Raw: o.Raw,
		})
		return true
	})
	return nil
}

// Owners are the new orders of a run by the owner that listed them first. Two owners of an account are listed at the same
// time, and what one of them is about to write the other does not find in the warehouse yet.
type Owners struct {
	mu    sync.Mutex
	owner map[uint64]string // by the digest of account, order id and creation time
}

// take claims an order's place for its owner, and returns whose it is.
func (c *Owners) take(o *schema.Order) string {
	key := schema.Digest(fmt.Sprintf("%s\x00%s\x00%d", o.Account, o.OrderID, o.CreateTime.UnixMilli()))
	c.mu.Lock()
	defer c.mu.Unlock()
	if owner, taken := c.owner[key]; taken {
		return owner
	}
	if c.owner == nil {
		c.owner = map[uint64]string{}
	}
	c.owner[key] = o.OwnerID
	return o.OwnerID
}
