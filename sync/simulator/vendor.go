package simulator

import (
	"slices"
	"strconv"
	"strings"
)

// Vendors of an account: whose API it is behind, and so in which form its orders are served.
const (
	VendorBSS      = "bss"      // Alibaba Cloud's BssOpenApi, both versions
	VendorUniCloud = "unicloud" // UniCloud's transaction service, under /transaction
	VendorDomain   = "domain"   // Alibaba Cloud's Domain API of 2016
)

// API versions.
const (
	version2017     = "2017-12-14" // BSS
	version2023     = "2023-09-30" // BSS
	versionUniCloud = "2020-07-30"
	versionDomain   = "2016-05-11"
)

// vendor is what differs between vendors beside the answers themselves.
type vendor struct {
	name string
	path string
	// formats are the accepted values of Format in lower case, and whether they mean XML.
	formats map[string]bool
	// v1Only refuses the signature in headers, which is younger than the API or another company's.
	v1Only bool
	// signatureVersions are accepted; an account may insist on one of them.
	signatureVersions []string
	// idWidth is how many bytes an order id has on the wire.
	idWidth int
	// translate returns the vendor's own error for one of the gateway's; nil where they are the same.
	translate   func(*Error) *Error
	appendError func(b []byte, x *exchange, e *Error) []byte
}

var (
	bss = &vendor{
		name: VendorBSS, path: "/", formats: map[string]bool{"json": false}, signatureVersions: []string{"1.0"},
		idWidth: 15, appendError: appendBSSError,
	}
	unicloud = &vendor{
		name: VendorUniCloud, path: "/transaction", formats: map[string]bool{"": false, "json": false}, v1Only: true,
		signatureVersions: []string{"1.0", "2.0"}, idWidth: 19, translate: unicloudError, appendError: appendUniCloudError,
	}
	domain = &vendor{
		name: VendorDomain, path: "/", formats: map[string]bool{"": true, "xml": true, "json": false}, v1Only: true,
		signatureVersions: []string{"1.0"}, idWidth: 16, appendError: appendDomainError,
	}
)

func findVendor(name string) *vendor {
	for _, v := range []*vendor{bss, unicloud, domain} {
		if v.name == name {
			return v
		}
	}
	panic("simulator: no vendor is called " + strconv.Quote(name))
}

// operations are the actions of all vendors.
var operations = slices.Concat(bssAPIs, unicloudAPIs, domainAPIs)

// appendID writes an order's id as the vendor spells it.
func (v *vendor) appendID(b []byte, id int64) []byte {
	switch v {
	case unicloud:
		id = unicloudID(id)
	case domain:
		b = append(b, 'D')
	}
	return strconv.AppendInt(b, id, 10)
}

// appendItemID writes a line item's id as the vendor spells it.
func (v *vendor) appendItemID(b []byte, o *order, line int) []byte {
	switch v {
	case unicloud: // the documented sample has another id for the only line than for its order
		return strconv.AppendInt(b, unicloudID(o.id+1+int64(line)), 10)
	case domain:
		b = append(b, 'T')
	}
	return strconv.AppendInt(b, o.itemID(line), 10)
}

// readID is the reverse of appendID; false where the text is no id of this vendor.
func (v *vendor) readID(text string) (int64, bool) {
	digits := text
	if v == domain {
		var ok bool
		if digits, ok = strings.CutPrefix(text, "D"); !ok {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != digits {
		return 0, false
	}
	if v == unicloud {
		id := (n - unicloudBase) / 1000
		return id, id >= 0 && unicloudID(id) == n
	}
	return n, true
}

const unicloudBase = 1_000_000_000_000_000_000

// unicloudID spreads an id over 19 digits, as UniCloud's are. It is odd, so that no float64 can hold it: the two ids of
// the documented sample happen to be multiples of 1024, which hides the trap.
func unicloudID(id int64) int64 { return unicloudBase + id*1000 + id%499*2 + 1 }

// sells reports whether a vendor has orders of a kind: UniCloud only those with a plausible name in its documents, which knows
// no refunds.
func (v *vendor) sells(kind uint8) bool {
	switch v {
	case unicloud:
		return kind <= kindDowngrade
	case domain:
		return kind == kindNew || kind == kindRenew
	}
	return true
}

// domainProduct is the domain's place in the catalog.
var domainProduct = uint8(slices.IndexFunc(catalog, func(p product) bool { return p.code == "domain" }))

// suitAmounts leaves of the amounts what the vendor has. UniCloud's TotalPrice and FinalPrice are gross and pretax, and its
// lines have a totalPrice, which is gross, and nothing else; the Domain API's Money is pretax.
func (a *Account) suitAmounts(o *order, m *money) {
	switch a.vendor {
	case unicloud:
		m.order = [columns]int64{colGross: m.order[colGross], colPretax: m.order[colPretax]}
		// No line has a price but that of the list. Together they cost what the order does.
		price := m.order[colPretax]
		for i := range m.item {
			m.item[i] = [columns]int64{colGross: m.item[i][colGross]}
			if o.has(i) {
				m.item[i][colPretax], price = price, 0
			}
		}
	case domain:
		m.order = [columns]int64{colPretax: m.order[colPretax]}
		for i := range m.item {
			m.item[i] = [columns]int64{colPretax: m.item[i][colPretax]}
		}
		// In the documented sample the order costs twice what its line does.
		if o.id%8 == 3 {
			m.order[colPretax] *= 2
		}
	}
}

// sent reports whether the vendor sends an amount column of an order or of a line.
func (a *Account) sent(m *money, column int, item bool) bool {
	switch a.vendor {
	case unicloud:
		return column == colGross || !item && column == colPretax
	case domain:
		return column == colPretax
	}
	return column != colTax || !m.noTax
}

// statusName is the payment status as the vendor spells it. UniCloud documents PAID by its sample alone, so the other
// two are unconfirmed. The Domain API has flags instead of a status, for which the words of BSS stand.
func (a *Account) statusName(o *order) string {
	if a.vendor == unicloud {
		return unicloudStatuses[o.status]
	}
	return statusNames[o.status]
}

var unicloudStatuses = [...]string{"", "UNPAID", "PAID", "CANCELED"}
