package simulator

import "strings"

// appendRow writes an order's row of a listing. There are no line items in it: those need the detail.
func (a *Account) appendRow(b []byte, o *order) []byte {
	var m money
	f := a.form(o)
	a.amounts(o, f, &m)
	w := object{append(b, '{')}
	a.writeShared(&w, o, f, &m, &m.order, false)
	return append(w.b, '}')
}

// appendLine writes one line item: the fields of a row and those that only the detail has.
func (a *Account) appendLine(b []byte, o *order, f form, m *money, n int) []byte {
	l := a.line(o, f, n)
	lower := f&formLower != 0
	w := object{append(b, '{')}
	a.writeShared(&w, o, f, m, &m.item[n], lower)
	w.digits("SubOrderId", o.itemID(n))
	w.text("OrderSubType", spelled(o.subType(), lower))
	w.text("Region", l.region)
	if f&formNumbers != 0 {
		w.number("Quantity", int64(l.quantity))
	} else {
		w.digits("Quantity", int64(l.quantity))
	}
	a.writeInstances(&w, o, f, n, l.instances)
	var text [512]byte
	config, original := f.configs()
	if config {
		w.text("Config", string(a.appendConfig(text[:0], o, n, false)))
	} else {
		w.text("Config", "")
	}
	if original {
		w.text("OriginalConfig", string(a.appendConfig(text[:0], o, n, true)))
	}
	if l.operator != "" || f&formNoOperator == 0 {
		w.text("Operator", l.operator)
	}
	if l.usageEnd != 0 {
		w.time("UsageStartTime", l.usageStart)
		w.time("UsageEndTime", l.usageEnd)
	}
	if f&formExtendInfos != 0 { // its keys are not documented
		w.key("ExtendInfos")
		infos := object{append(w.b, '{')}
		infos.text("buyFrom", buyFrom[uint64(o.id)%4])
		infos.digits("seq", int64(n))
		w.b = append(infos.b, '}')
	}
	if f&formBillModules != 0 {
		w.key("BillModuleConfig")
		w.b = appendModules(w.b, o, true)
	}
	if f&formOrigModules != 0 {
		w.key("OriginalModuleConfig")
		w.b = appendModules(w.b, o, false)
	}
	return append(w.b, '}')
}

// writeInstances writes InstanceIDs: documented and captured as a JSON array inside a string.
func (a *Account) writeInstances(w *object, o *order, f form, line, count int) {
	if count == 0 && f&formNoInstances != 0 {
		return
	}
	if f&formInstanceIds != 0 {
		w.key("InstanceIds")
	} else {
		w.key("InstanceIDs")
	}
	if count == 0 {
		w.b = append(w.b, `""`...)
		return
	}
	w.b = append(w.b, `"[`...)
	for k := range count {
		if k > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, `\"`...)
		w.b = a.appendInstance(w.b, o, line, k)
		w.b = append(w.b, `\"`...)
	}
	w.b = append(w.b, `]"`...)
}

// writeShared writes the fields that a row and a line have in common.
func (a *Account) writeShared(w *object, o *order, f form, m *money, v *[columns]int64, lower bool) {
	p := &catalog[o.product]
	currency := a.currency(o)
	w.digits("OrderId", o.id)
	if o.related != 0 {
		w.digits("RelatedOrderId", o.related)
	} else if f&formNoRelated == 0 {
		w.text("RelatedOrderId", "")
	}
	w.text("OrderType", spelled(kindNames[o.kind], lower))
	if o.status != statusNone {
		w.text("PaymentStatus", spelled(statusNames[o.status], lower))
	}
	w.text("ProductCode", p.code)
	w.text("ProductType", p.typ)
	w.text("CommodityCode", o.commodity())
	w.text("SubscriptionType", o.subscription())
	w.time("CreateTime", o.create)
	if paid, ok := o.paidAt(); ok {
		w.time("PaymentTime", paid)
	} else if f&formNoPayTime == 0 {
		w.text("PaymentTime", "")
	}
	w.text("Currency", currency)
	if f&formNoPayCurrency == 0 {
		w.text("PaymentCurrency", currency)
	}
	for c, key := range columnKeys {
		if c == colTax && m.noTax {
			continue
		}
		if f&formNumbers != 0 {
			w.amount(key, v[c], m.scale)
			continue
		}
		amount, scale := v[c], m.scale
		if f&formPlain != 0 {
			amount, scale = trimZeros(amount, scale)
		}
		w.key(key)
		w.b = append(appendDecimal(append(w.b, '"'), amount, scale), '"')
	}
}

// spelled is a value of an enumeration as it is spelt: details may have it all in lower case.
func spelled(value string, lower bool) string {
	if lower {
		return strings.ToLower(value)
	}
	return value
}

var columnKeys = [columns]string{"PretaxGrossAmount", "PretaxAmount", "PretaxAmountLocal", "Tax", "AfterTaxAmount"}
