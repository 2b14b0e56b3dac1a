package simulator

import "strconv"

// appendRow writes an order's row of a listing. There are no line items in it: those need the detail.
func (a *Account) appendRow(b []byte, o *order) []byte {
	var m money
	f := a.form(o)
	a.amounts(o, f, &m)
	b = append(b, '{')
	b = a.appendShared(b, o, f, &m, &m.order, false)
	return append(b, '}')
}

// appendLine writes one line item: the fields of a row and those that only the detail has.
func (a *Account) appendLine(b []byte, o *order, f form, m *money, n int) []byte {
	l := a.line(o, f, n)
	lower := f&formLower != 0
	b = append(b, '{')
	b = a.appendShared(b, o, f, m, &m.item[n], lower)
	b = strconv.AppendInt(append(b, `,"SubOrderId":"`...), o.itemID(n), 10)
	b = append(append(b, `","OrderSubType":"`...), o.subType(lower)...)
	b = append(append(b, `","Region":"`...), l.region...)
	b = append(b, `","Quantity":`...)
	if f&formNumbers != 0 {
		b = strconv.AppendInt(b, int64(l.quantity), 10)
	} else {
		b = append(strconv.AppendInt(append(b, '"'), int64(l.quantity), 10), '"')
	}
	b = a.appendInstances(b, o, f, n, l.instances)
	var text [512]byte
	config, original := f.configs()
	b = append(b, `,"Config":`...)
	if config {
		b = appendString(b, string(a.appendConfig(text[:0], o, n, false)))
	} else {
		b = append(b, `""`...)
	}
	if original {
		b = appendString(append(b, `,"OriginalConfig":`...), string(a.appendConfig(text[:0], o, n, true)))
	}
	if l.operator != "" {
		b = appendString(append(b, `,"Operator":`...), l.operator)
	} else if f&formNoOperator == 0 {
		b = append(b, `,"Operator":""`...)
	}
	if l.usageEnd != 0 {
		b = appendTime(append(b, `,"UsageStartTime":"`...), l.usageStart)
		b = appendTime(append(b, `","UsageEndTime":"`...), l.usageEnd)
		b = append(b, '"')
	}
	if f&formExtendInfos != 0 {
		b = a.appendExtendInfos(append(b, `,"ExtendInfos":`...), o, n)
	}
	if f&formBillModules != 0 {
		b = a.appendModules(append(b, `,"BillModuleConfig":`...), o, true)
	}
	if f&formOrigModules != 0 {
		b = a.appendModules(append(b, `,"OriginalModuleConfig":`...), o, false)
	}
	return append(b, '}')
}

// appendInstances writes InstanceIDs: documented and captured as a JSON array inside a string.
func (a *Account) appendInstances(b []byte, o *order, f form, line, count int) []byte {
	if count == 0 && f&formNoInstances != 0 {
		return b
	}
	if f&formInstanceIds != 0 {
		b = append(b, `,"InstanceIds":`...)
	} else {
		b = append(b, `,"InstanceIDs":`...)
	}
	if count == 0 {
		return append(b, `""`...)
	}
	b = append(b, `"[`...)
	for k := range count {
		if k > 0 {
			b = append(b, ',')
		}
		b = append(b, `\"`...)
		b = a.appendInstance(b, o, line, k)
		b = append(b, `\"`...)
	}
	return append(b, `]"`...)
}

// appendShared writes the fields that a row and a line have in common, without the braces.
func (a *Account) appendShared(b []byte, o *order, f form, m *money, v *[columns]int64, lower bool) []byte {
	p := &catalog[o.product]
	kind, status := kindNames[o.kind], statusNames[o.status]
	if lower {
		kind, status = kindNamesLower[o.kind], statusNamesLower[o.status]
	}
	currency := a.currency(o)
	b = strconv.AppendInt(append(b, `"OrderId":"`...), o.id, 10)
	if o.related != 0 {
		b = strconv.AppendInt(append(b, `","RelatedOrderId":"`...), o.related, 10)
	} else if f&formNoRelated == 0 {
		b = append(b, `","RelatedOrderId":"`...)
	}
	b = append(append(b, `","OrderType":"`...), kind...)
	if o.status != statusNone {
		b = append(append(b, `","PaymentStatus":"`...), status...)
	}
	b = append(append(b, `","ProductCode":"`...), p.code...)
	b = append(append(b, `","ProductType":"`...), p.typ...)
	b = append(append(b, `","CommodityCode":"`...), o.commodity()...)
	b = append(append(b, `","SubscriptionType":"`...), o.subscription()...)
	b = appendTime(append(b, `","CreateTime":"`...), o.create)
	if paid, ok := o.paidAt(); ok {
		b = appendTime(append(b, `","PaymentTime":"`...), paid)
	} else if f&formNoPayTime == 0 {
		b = append(b, `","PaymentTime":"`...)
	}
	b = append(append(b, `","Currency":"`...), currency...)
	if f&formNoPayCurrency == 0 {
		b = append(append(b, `","PaymentCurrency":"`...), currency...)
	}
	b = append(b, '"')
	for c := range columns {
		if c == colTax && m.noTax {
			continue
		}
		b = append(b, columnKeys[c]...)
		switch {
		case f&formNumbers != 0:
			b = appendNumber(b, v[c], m.scale)
		case f&formPlain != 0:
			x, scale := trimZeros(v[c], m.scale)
			b = append(appendDecimal(append(b, '"'), x, scale), '"')
		default:
			b = append(appendDecimal(append(b, '"'), v[c], m.scale), '"')
		}
	}
	return b
}

var columnKeys = [columns]string{
	`,"PretaxGrossAmount":`, `,"PretaxAmount":`, `,"PretaxAmountLocal":`, `,"Tax":`, `,"AfterTaxAmount":`,
}
