package simulator

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
)

// domainAPIs is the one order action of the Domain API that only reads. That it has a RAM action is unconfirmed.
var domainAPIs = []operation{
	{vendor: domain, action: "QueryOrder", version: versionDomain, ram: "domain:QueryOrder", quota: Quota.detail, ask: askDomain, act: actKnown(errDomainOrder), answer: answerDomain},
}

var errDomainOrder = &Error{Status: 400, Code: "OrderInformationInvalid", Message: "Unable to get a valid order information."}

func askDomain(c *call) *Error {
	c.question.OrderID = c.args.Get("OrderID") // so spelt
	if c.question.OrderID == "" {
		return errMissing("OrderID")
	}
	return nil
}

// answerDomain writes an order with its lines as JSON; the exchange makes XML of it where that was asked for. What an
// order that is not settled has instead of its dates is unconfirmed: nothing, or an empty text.
func answerDomain(c *call, b []byte) []byte {
	a := c.data
	o := a.find(c.question.OrderID)
	atomic.AddUint32(&o.calls, 1)
	var m money
	f := a.form(o)
	a.amounts(o, f, &m)
	paid, settled := o.paidAt()
	w := object{append(b, '{')}
	w.flag("ValidFlag", o.status != statusCancelled)
	w.local("OrderDate", o.create, a.o.Zone)
	w.flag("CheckFlag", settled)
	w.text("Money", domainMoney(m.order[colPretax], m.scale))
	rows := rowWriter{call: c, b: append(w.b, `,"OrderProducts":{`...), list: `"SubOrderResult":[`}
	for n := range o.left() {
		rows.row(o, func(b []byte) []byte { return a.appendDomainLine(b, o, f, &m, n) })
	}
	if rows.written == 0 {
		rows.b = append(rows.b, rows.list...)
	}
	w.b = append(rows.b, "]}"...)
	w.flag("CheckType", o.id%2 == 0)
	w.text("OrderID", c.question.OrderID)
	w.text("RequestId", c.requestID)
	w.text("UserID", a.userID())
	if settled {
		w.local("CheckDate", paid, a.o.Zone)
	} else if f&formNoPayTime == 0 {
		w.text("CheckDate", "")
	}
	return append(w.b, '}')
}

func (a *Account) appendDomainLine(b []byte, o *order, f form, m *money, n int) []byte {
	l := a.line(o, f, n)
	id := strconv.FormatInt(o.itemID(n), 10)
	name := a.domainName(o, n)
	w := object{append(b, '{')}
	w.number("Amount", int64(l.quantity))
	w.local("OrderDate", o.create, a.o.Zone)
	w.text("Money", domainMoney(m.item[n][colPretax], m.scale))
	paid, settled := o.paidAt()
	w.flag("CheckFlag", settled)
	w.text("OrderID", string(domain.appendID(nil, o.id)))
	w.text("SaleID", "S"+id)
	if o.related != 0 { // only the page about the type has this field
		w.text("ParentSaleID", "S"+strconv.FormatInt(o.related, 10))
	}
	w.text("UserID", a.userID())
	w.text("TrackID", "T"+id)
	w.text("RelatedName", name)
	w.number("BizStatus", 0)
	w.text("ClassID", "domain")
	w.flag("ValidFlag", o.status != statusCancelled)
	w.text("ActionType", o.actionType())
	w.number("PeriodNum", max(1, int64(o.months())))
	w.text("ProductName", name[strings.LastIndexByte(name, '.'):]+" 域名")
	w.number("PeriodUnit", 3) // a month: the sample's twelve are a year
	empty := f&formNoPayTime == 0
	if l.usageEnd != 0 {
		w.local("DeadDate", l.usageEnd, a.o.Zone)
		w.local("UpdateDate", paid+10, a.o.Zone)
	} else if empty {
		w.text("DeadDate", "")
		w.text("UpdateDate", "")
	}
	if settled {
		w.local("CheckDate", paid, a.o.Zone)
	} else if empty {
		w.text("CheckDate", "")
	}
	return append(w.b, '}')
}

func (a *Account) domainName(o *order, n int) string { return string(a.appendInstance(nil, o, n, 0)) }

func (o *order) actionType() string {
	if o.kind == kindRenew {
		return "renew"
	}
	return "activate"
}

// domainMoney has at least one digit after the point, as the sample's 8.0.
func domainMoney(v int64, scale uint8) string {
	v, scale = trimZeros(v, scale)
	if scale == 0 {
		v, scale = v*10, 1
	}
	return string(appendDecimal(nil, v, scale))
}

// describeDomain turns the order as BSS would have it into what the Domain API's fields say.
func (a *Account) describeDomain(o *order, r *Order) {
	r.OrderType = o.actionType()
	r.RelatedOrderID, r.ProductType, r.CommodityCode, r.SubscriptionType, r.PaymentCurrency = "", "", "", "", ""
	items := r.Items
	for line := range o.left() {
		it := &items[0]
		*it = Item{
			ItemID: it.ItemID, InstanceIDs: []string{a.domainName(o, line)},
			Quantity: it.Quantity, UsageEndTime: it.UsageEndTime, Prices: it.Prices,
		}
		items = items[1:]
	}
}

// format returns an answer in the format that was asked for. XML has the same names as JSON, an element for each entry of
// an array, and a root.
func (x *exchange) format(body []byte, root string) []byte {
	if !x.xml {
		return body
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	b, err := appendXML(nil, root, d)
	if err != nil { // what a fault made of it is no JSON
		return body
	}
	return b
}

// appendXML writes the next value as an element.
func appendXML(b []byte, name string, d *json.Decoder) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	array := token == json.Delim('[')
	if !array {
		b = append(append(append(b, '<'), name...), '>')
	}
	switch token := token.(type) {
	case json.Delim:
		for d.More() {
			inner := name
			if !array {
				key, err := d.Token()
				if err != nil {
					return nil, err
				}
				inner = key.(string)
			}
			if b, err = appendXML(b, inner, d); err != nil {
				return nil, err
			}
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
	case nil:
	default:
		var text bytes.Buffer
		xml.EscapeText(&text, []byte(fmt.Sprint(token)))
		b = append(b, text.Bytes()...)
	}
	if !array {
		b = append(append(append(b, "</"...), name...), '>')
	}
	return b, nil
}
