package sink

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ordersync/ordersync/schema"
)

// overhead is about the size of a row without its long texts.
const overhead = 400

var orderTable = &table[schema.Order]{
	name:      "order_rows",
	label:     func(o *schema.Order) string { return "order " + o.OrderID + " of " + o.Stream.String() },
	partition: func(o *schema.Order) time.Time { return o.CreateTime },
	deleted:   func(o *schema.Order) bool { return o.Deleted },
	size:      func(o *schema.Order) int { return overhead + len(o.Raw) + len(o.RawDetail) },
	compare: func(a, b *schema.Order) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), a.CreateTime.Compare(b.CreateTime),
			strings.Compare(a.OrderID, b.OrderID), cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Order]{
		label("source", func(o *schema.Order) string { return o.Source }),
		label("account", func(o *schema.Order) string { return o.Account }),
		label("owner_id", func(o *schema.Order) string { return o.OwnerID }),
		text("order_id", func(o *schema.Order) string { return o.OrderID }),
		text("related_order_id", func(o *schema.Order) string { return o.RelatedOrderID }),
		label("order_type", func(o *schema.Order) string { return o.OrderType }),
		label("payment_status", func(o *schema.Order) string { return o.PaymentStatus }),
		label("product_code", func(o *schema.Order) string { return o.ProductCode }),
		label("product_type", func(o *schema.Order) string { return o.ProductType }),
		label("commodity_code", func(o *schema.Order) string { return o.CommodityCode }),
		label("subscription_type", func(o *schema.Order) string { return o.SubscriptionType }),
		moment("create_time", func(o *schema.Order) time.Time { return o.CreateTime }),
		optionalMoment("payment_time", func(o *schema.Order) time.Time { return o.PaymentTime }),
		label("currency", func(o *schema.Order) string { return o.Currency }),
		label("payment_currency", func(o *schema.Order) string { return o.PaymentCurrency }),
		amount("pretax_gross_amount", func(o *schema.Order) schema.Money { return o.PretaxGross }),
		amount("pretax_amount", func(o *schema.Order) schema.Money { return o.Pretax }),
		amount("pretax_amount_local", func(o *schema.Order) schema.Money { return o.PretaxLocal }),
		amount("tax", func(o *schema.Order) schema.Money { return o.Tax }),
		amount("after_tax_amount", func(o *schema.Order) schema.Money { return o.AfterTax }),
		long("fingerprint", func(o *schema.Order) uint64 { return o.Fingerprint }),
		label("detail_status", func(o *schema.Order) string { return o.DetailStatus }),
		count("items", func(o *schema.Order) uint32 { return o.ItemCount }),
		moment("fetched_at", func(o *schema.Order) time.Time { return o.FetchedAt }),
		long("version", func(o *schema.Order) uint64 { return o.Version }),
		flag("is_deleted", func(o *schema.Order) bool { return o.Deleted }),
		text("raw", func(o *schema.Order) string { return o.Raw }),
		text("raw_detail", func(o *schema.Order) string { return o.RawDetail }),
	},
}

var itemTable = &table[schema.Item]{
	name: "order_item_rows",
	label: func(i *schema.Item) string {
		return "item " + i.ItemID + " of order " + i.OrderID + " of " + i.Stream.String()
	},
	partition: func(i *schema.Item) time.Time { return i.CreateTime },
	deleted:   func(i *schema.Item) bool { return i.Deleted },
	size: func(i *schema.Item) int {
		n := overhead + len(i.Raw) + len(i.Config) + len(i.OriginalConfig) + len(i.BillModuleConfig) +
			len(i.OriginalModuleConfig)
		for _, id := range i.InstanceIDs {
			n += len(id)
		}
		for k, v := range i.ExtendInfos {
			n += len(k) + len(v)
		}
		return n
	},
	compare: func(a, b *schema.Item) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), a.CreateTime.Compare(b.CreateTime),
			strings.Compare(a.OrderID, b.OrderID), strings.Compare(a.ItemID, b.ItemID),
			cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Item]{
		label("source", func(i *schema.Item) string { return i.Source }),
		label("account", func(i *schema.Item) string { return i.Account }),
		label("owner_id", func(i *schema.Item) string { return i.OwnerID }),
		text("order_id", func(i *schema.Item) string { return i.OrderID }),
		text("item_id", func(i *schema.Item) string { return i.ItemID }),
		text("related_order_id", func(i *schema.Item) string { return i.RelatedOrderID }),
		label("order_type", func(i *schema.Item) string { return i.OrderType }),
		label("order_sub_type", func(i *schema.Item) string { return i.OrderSubType }),
		label("payment_status", func(i *schema.Item) string { return i.PaymentStatus }),
		label("product_code", func(i *schema.Item) string { return i.ProductCode }),
		label("product_type", func(i *schema.Item) string { return i.ProductType }),
		label("commodity_code", func(i *schema.Item) string { return i.CommodityCode }),
		label("subscription_type", func(i *schema.Item) string { return i.SubscriptionType }),
		moment("create_time", func(i *schema.Item) time.Time { return i.CreateTime }),
		optionalMoment("payment_time", func(i *schema.Item) time.Time { return i.PaymentTime }),
		label("currency", func(i *schema.Item) string { return i.Currency }),
		label("payment_currency", func(i *schema.Item) string { return i.PaymentCurrency }),
		amount("pretax_gross_amount", func(i *schema.Item) schema.Money { return i.PretaxGross }),
		amount("pretax_amount", func(i *schema.Item) schema.Money { return i.Pretax }),
		amount("pretax_amount_local", func(i *schema.Item) schema.Money { return i.PretaxLocal }),
		amount("tax", func(i *schema.Item) schema.Money { return i.Tax }),
		amount("after_tax_amount", func(i *schema.Item) schema.Money { return i.AfterTax }),
		texts("instance_ids", func(i *schema.Item) []string { return i.InstanceIDs }),
		label("region", func(i *schema.Item) string { return i.Region }),
		amount("quantity", func(i *schema.Item) schema.Money { return i.Quantity }),
		text("config", func(i *schema.Item) string { return i.Config }),
		text("original_config", func(i *schema.Item) string { return i.OriginalConfig }),
		text("operator", func(i *schema.Item) string { return i.Operator }),
		optionalMoment("usage_start_time", func(i *schema.Item) time.Time { return i.UsageStartTime }),
		optionalMoment("usage_end_time", func(i *schema.Item) time.Time { return i.UsageEndTime }),
		pairs("extend_infos", func(i *schema.Item) map[string]string { return i.ExtendInfos }),
		text("bill_module_config", func(i *schema.Item) string { return i.BillModuleConfig }),
		text("original_module_config", func(i *schema.Item) string { return i.OriginalModuleConfig }),
		moment("fetched_at", func(i *schema.Item) time.Time { return i.FetchedAt }),
		long("version", func(i *schema.Item) uint64 { return i.Version }),
		flag("is_deleted", func(i *schema.Item) bool { return i.Deleted }),
		text("raw", func(i *schema.Item) string { return i.Raw }),
	},
}

var windowTable = &table[schema.Window]{
	name: "sync_window_rows",
	label: func(w *schema.Window) string {
		return "window " + w.Start.Format(time.RFC3339) + " of " + w.Stream.String()
	},
	size: func(w *schema.Window) int { return overhead + len(w.Error) },
	compare: func(a, b *schema.Window) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.OwnerID, b.OwnerID),
			a.Start.Compare(b.Start), cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Window]{
		label("source", func(w *schema.Window) string { return w.Source }),
		label("account", func(w *schema.Window) string { return w.Account }),
		label("owner_id", func(w *schema.Window) string { return w.OwnerID }),
		moment("window_start", func(w *schema.Window) time.Time { return w.Start }),
		moment("window_end", func(w *schema.Window) time.Time { return w.End }),
		label("verdict", func(w *schema.Window) string { return string(w.Verdict) }),
		count("listed", func(w *schema.Window) uint32 { return w.Listed }),
		count("stored", func(w *schema.Window) uint32 { return w.Stored }),
		count("items", func(w *schema.Window) uint32 { return w.Items }),
		count("rejected", func(w *schema.Window) uint32 { return w.Rejected }),
		count("pending", func(w *schema.Window) uint32 { return w.Pending }),
		long("id_digest", func(w *schema.Window) uint64 { return w.IDDigest }),
		optionalMoment("listing_start", func(w *schema.Window) time.Time { return w.ListingStart }),
		optionalMoment("listing_end", func(w *schema.Window) time.Time { return w.ListingEnd }),
		count("total_first", func(w *schema.Window) uint32 { return w.TotalFirst }),
		count("total_last", func(w *schema.Window) uint32 { return w.TotalLast }),
		count("pages", func(w *schema.Window) uint32 { return w.Pages }),
		count("list_calls", func(w *schema.Window) uint32 { return w.ListCalls }),
		count("detail_calls", func(w *schema.Window) uint32 { return w.DetailCalls }),
		count("attempts", func(w *schema.Window) uint32 { return w.Attempts }),
		text("error", func(w *schema.Window) string { return w.Error }),
		optionalMoment("started_at", func(w *schema.Window) time.Time { return w.StartedAt }),
		optionalMoment("finished_at", func(w *schema.Window) time.Time { return w.FinishedAt }),
		long("version", func(w *schema.Window) uint64 { return w.Version }),
		label("filters", func(w *schema.Window) string { return w.Filters }),
	},
}

var rejectTable = &table[schema.Reject]{
	name:  "reject_rows",
	label: func(r *schema.Reject) string { return "reject " + r.ID + " of " + r.Stream.String() },
	size:  func(r *schema.Reject) int { return overhead + len(r.Raw) + len(r.Message) + len(r.Note) },
	compare: func(a, b *schema.Reject) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.ID, b.ID),
			cmp.Compare(a.Version, b.Version))
	},
	columns: []column[schema.Reject]{
		label("source", func(r *schema.Reject) string { return r.Source }),
		label("account", func(r *schema.Reject) string { return r.Account }),
		label("owner_id", func(r *schema.Reject) string { return r.OwnerID }),
		text("id", func(r *schema.Reject) string { return r.ID }),
		label("stage", func(r *schema.Reject) string { return r.Stage }),
		text("order_id", func(r *schema.Reject) string { return r.OrderID }),
		optionalMoment("window_start", func(r *schema.Reject) time.Time { return r.WindowStart }),
		optionalMoment("create_time", func(r *schema.Reject) time.Time { return r.CreateTime }),
		label("reason", func(r *schema.Reject) string { return r.Reason }),
		text("message", func(r *schema.Reject) string { return r.Message }),
		text("raw", func(r *schema.Reject) string { return r.Raw }),
		moment("first_seen", func(r *schema.Reject) time.Time { return r.FirstSeen }),
		moment("last_seen", func(r *schema.Reject) time.Time { return r.LastSeen }),
		count("attempts", func(r *schema.Reject) uint32 { return r.Attempts }),
		optionalMoment("next_attempt", func(r *schema.Reject) time.Time { return r.NextAttempt }),
		optionalMoment("accepted_at", func(r *schema.Reject) time.Time { return r.AcceptedAt }),
		text("accepted_by", func(r *schema.Reject) string { return r.AcceptedBy }),
		text("note", func(r *schema.Reject) string { return r.Note }),
		flag("resolved", func(r *schema.Reject) bool { return r.Resolved }),
		long("version", func(r *schema.Reject) uint64 { return r.Version }),
	},
}

// rejectStateTable holds what became of each reject. The server copies each row of rejectTable to it; only that a record
// became a row is written here alone.
var rejectStateTable = &table[schema.Reject]{
	name: "reject_states", label: rejectTable.label, compare: rejectTable.compare,
	size: func(*schema.Reject) int { return overhead },
	columns: append(slices.DeleteFunc(slices.Clone(rejectTable.columns), func(c column[schema.Reject]) bool {
		return slices.Contains([]string{"message", "raw", "accepted_by", "note"}, c.name)
	}), long("payload", func(r *schema.Reject) uint64 { return r.Payload() })),
}
