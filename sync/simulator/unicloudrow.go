package simulator

import (
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// unicloudProducts are what UniCloud calls the products of the catalog. The documents show the first name of the second
// row alone; the rest is made up after it.
var unicloudProducts = [...]struct{ category, name, spec string }{
	{"CLOUD_SERVER", "云服务器", "云服务器规格"}, {"DATA_HARD_DISK", "云硬盘", "硬盘规格"}, {"RDS", "云数据库", "数据库规格"},
	{"OSS", "对象存储", "存储规格"}, {"SLB", "负载均衡", "实例规格"}, {"CDN", "内容分发", "计费方式"}, {"DOMAIN", "域名", "域名"},
	{"POLARDB", "分布式数据库", "数据库规格"}, {"REDIS", "缓存", "实例规格"}, {"KAFKA", "消息队列", "实例规格"},
	{"CONTAINER", "容器服务", "集群规格"}, {"EIP", "弹性公网IP", "带宽"}, {"SMS", "短信", "套餐"},
}

type unicloudRegion struct{ id, name, city string }

var unicloudRegions = [...]unicloudRegion{
	{"8b128f0c-e9ad-472c-9c20-451b9f310e94", "cloudos-tj", "天津"},
	{"5ae4a1e7-2c0b-4f0f-9d53-0c7f1c1c8e21", "cloudos-bj", "北京"},
	{"d2f1b0a4-77c3-4c1e-8a55-93d1e6b0f7aa", "cloudos-sh", "上海"},
}

func (o *order) unicloudRegion() *unicloudRegion {
	return &unicloudRegions[o.asset%uint32(len(unicloudRegions))]
}

// payType is the way of paying and its name. CHARGING_HOURS and DAY_MONTH are in the documents.
func (o *order) payType() (code, name string) {
	switch {
	case !o.postpaid:
		return "YEAR_MONTH", "包年包月"
	case o.id%4 == 0:
		return "DAY_MONTH", "按日计费月结"
	}
	return "CHARGING_HOURS", "按小时实时付费"
}

// orderNo is P and fourteen digits, as the documented sample has it.
func (o *order) orderNo() string {
	s := newRandom(0, uint64(o.id), purposeUniCloud)
	return "P" + strconv.FormatInt(s.between(10_000_000_000_000, 99_999_999_999_999), 10)
}

// productDescription is JSON, which the answer then has inside a string; its keys are Chinese. A change shows in it.
func (o *order) productDescription() string {
	p := &unicloudProducts[o.product]
	s := newRandom(0, uint64(o.asset)+uint64(o.revision), purposeUniCloud)
	values := slices.MaxFunc(catalog[o.product].modules[0].keys, func(a, b setting) int { return len(a.values) - len(b.values) }).values
	_, pay := o.payType()
	w := object{[]byte(`{"conf":{`)}
	w.text("地域", o.unicloudRegion().city)
	w.text(p.spec, p.name+" "+values[(s.n(len(values))+int(o.details))%len(values)])
	w.text("计费模式", pay)
	return string(append(w.b, "}}"...))
}

// unicloudInstance is a UUID.
func (a *Account) unicloudInstance(o *order, line int) string {
	const hex = "0123456789abcdef"
	s := newRandom(a.o.Seed, uint64(o.asset)*8+uint64(line), purposeUniCloud)
	id := []byte("xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx")
	for i := range id {
		if id[i] == 'x' {
			id[i] = hex[s.n(16)]
		}
	}
	return string(id)
}

// unicloudEnd is when a line's use ends. By the hour there is no end, and the sample has the start again.
func (o *order) unicloudEnd(l *line) int64 {
	if o.postpaid {
		return l.usageStart
	}
	return l.usageEnd
}

// rent is for how long a line is rented, and in what unit.
func (o *order) rent() (int64, string) {
	if o.postpaid {
		return 0, "HOURS"
	}
	return int64(o.months()), "MONTH"
}

// months is for how many months a subscription is bought; 0 where nothing was paid.
func (o *order) months() int {
	if _, paid := o.paidAt(); paid {
		return int(o.term)
	}
	return 0
}

// userID is a number that belongs to the login.
func (a *Account) userID() string {
	return strconv.FormatUint(1_000_000_000_000_000+xxhash.Sum64String(a.o.AccessKeyID)%9_000_000_000_000_000, 10)
}

// appendUniCloudRow writes an order's row of a listing. There is no sample of it but for a few fields, so the form of its
// dates is unconfirmed.
func (a *Account) appendUniCloudRow(b []byte, o *order) []byte {
	var m money
	a.amounts(o, a.form(o), &m)
	region := o.unicloudRegion()
	pay, _ := o.payType()
	date := func(w *object, k string, t int64, ok bool) {
		if a.o.DatesAsText && ok {
			w.local(k, t, a.o.Zone)
			return
		}
		w.millis(k, t, ok)
	}
	w := object{append(b, '{')}
	w.text("Id", string(unicloud.appendID(nil, o.id)))
	w.text("OrderNo", o.orderNo())
	w.text("UserId", a.userID())
	w.text("UserName", a.o.AccessKeyID)
	w.text("AccountId", a.userID())
	w.text("AccountName", a.o.AccessKeyID)
	w.text("OrderStatus", a.statusName(o))
	w.text("OrderCategory", o.orderCategory())
	w.text("PayType", pay)
	w.text("ChargeType", o.chargeType())
	w.flag("IsOffine", false) // so spelt
	w.text("ProductCategory", unicloudProducts[o.product].category)
	w.flag("IsInvoice", o.id%5 == 0)
	paid, ok := o.paidAt()
	date(&w, "PayTime", paid, ok)
	date(&w, "CreateTime", o.create, true)
	date(&w, "UpdateTime", o.updatedAt(), true)
	w.amount("TotalPrice", m.order[colGross], m.scale)
	w.raw("CouponAmount", "0")
	w.amount("PromotionAmount", m.order[colGross]-m.order[colPretax], m.scale)
	w.raw("PromotionRule", "null")
	w.amount("FinalPrice", m.order[colPretax], m.scale)
	w.amount("PaidAmount", o.paid(&m), m.scale)
	w.text("ProductRegionId", region.id)
	w.text("ProductRegionName", region.name)
	if o.kind == kindRenew {
		w.text("InstanceId", a.unicloudInstance(o, 0))
	} else {
		w.raw("InstanceId", "null")
	}
	w.raw("Note", "null")
	return append(w.b, '}')
}

// appendUniCloudOrder writes the fields of a detail's order, without its lines and the closing brace.
func (a *Account) appendUniCloudOrder(b []byte, o *order, m *money) []byte {
	l := a.line(o, 0, 0)
	region := o.unicloudRegion()
	pay, payName := o.payType()
	count, unit := o.rent()
	w := object{b}
	w.text("Id", string(unicloud.appendID(nil, o.id)))
	w.number("ItemCount", int64(o.items()))
	w.text("UserName", a.o.AccessKeyID)
	w.text("ProductCategory", unicloudProducts[o.product].category)
	w.text("ProductRegionId", region.id)
	w.text("ProductRegionName", region.name)
	w.text("ProductDescription", o.productDescription())
	w.number("ProductRentCount", count)
	w.text("ProductRentUnit", unit)
	w.text("PayType", pay)
	w.text("OrderStatus", a.statusName(o))
	w.text("PayTypeName", payName)
	w.amount("TotalPrice", m.order[colGross], m.scale)
	w.amount("PaidAmount", o.paid(m), m.scale)
	w.amount("FinalPrice", m.order[colPretax], m.scale)
	w.text("OrderCategory", o.orderCategory())
	w.millis("DueTime", o.create+24*hour, true)
	w.raw("CancelType", "null")
	w.raw("Note", "null")
	w.text("OrderNo", o.orderNo())
	paid, ok := o.paidAt()
	w.millis("PayTime", paid, ok)
	w.millis("CreateTime", o.create, true)
	w.millis("UpdateTime", o.updatedAt(), true)
	w.number("Quantity", int64(l.quantity))
	w.text("ChargeType", o.chargeType())
	w.raw("Payments", "null")
	return w.b
}

// appendUniCloudItem writes one line: its keys are in camelCase, and its ids are numbers.
func (a *Account) appendUniCloudItem(b []byte, o *order, m *money, n int) []byte {
	l := a.line(o, 0, n)
	p := &unicloudProducts[o.product]
	count, unit := o.rent()
	w := object{append(b, '{')}
	w.raw("id", string(unicloud.appendItemID(nil, o, n)))
	w.raw("orderId", string(unicloud.appendID(nil, o.id)))
	w.text("orderNo", o.orderNo())
	w.number("productId", 7000+int64(o.product)*100+int64(n))
	w.text("productSku", "UNIS_PC_"+p.category)
	w.text("productName", p.category)
	w.text("productCategory", p.category)
	w.text("productDescription", o.productDescription())
	w.number("quantity", int64(l.quantity))
	w.amount("totalPrice", m.item[n][colGross], m.scale)
	w.millis("productStartTime", l.usageStart, l.usageEnd != 0)
	w.millis("productEndTime", o.unicloudEnd(&l), l.usageEnd != 0)
	w.text("productRentUnit", unit)
	w.number("productRentCount", count)
	w.flag("isParent", n == 0)
	if l.usageEnd != 0 {
		w.text("instanceId", a.unicloudInstance(o, n))
	} else {
		w.raw("instanceId", "null")
	}
	return append(w.b, '}')
}

// paid is what was paid of an order so far: all or nothing.
func (o *order) paid(m *money) int64 {
	if o.status == statusPaid {
		return m.order[colPretax]
	}
	return 0
}
