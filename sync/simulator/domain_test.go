package simulator

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

func domainAccount(orders int, change ...func(*Options)) *Account {
	return testAccount(orders, append([]func(*Options){func(o *Options) { o.Vendor = VendorDomain }}, change...)...)
}

// domainLine and domainOrder are an answer of QueryOrder, as either format decodes it.
type domainLine struct {
	TrackID, OrderID, SaleID, ParentSaleID, UserID, ClassID, ProductName, RelatedName, ActionType string
	PeriodUnit, PeriodNum, Amount, BizStatus                                                      int
	Money, OrderDate, CheckDate, UpdateDate, DeadDate                                             string
	CheckFlag, ValidFlag                                                                          bool
}

type domainOrder struct {
	RequestId, OrderID, UserID, Money, OrderDate, CheckDate string
	CheckFlag, CheckType, ValidFlag                         bool
	OrderProducts                                           struct{ SubOrderResult []domainLine }
}

// queryOrder asks for an order in both formats and demands that they agree.
func queryOrder(t testing.TB, s *Server, a *Account, id string) domainOrder {
	t.Helper()
	var fromJSON, fromXML domainOrder
	for format, into := range map[string]func([]byte) error{
		"JSON": func(b []byte) error { return json.Unmarshal(b, &fromJSON) }, "XML": func(b []byte) error { return xml.Unmarshal(b, &fromXML) },
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, v1Signed(a, "GET", "", "Action", "QueryOrder", "OrderID", id, "Format", format))
		if err := into(w.Body.Bytes()); err != nil || w.Code != 200 || !strings.Contains(w.Header().Get("Content-Type"), strings.ToLower(format)) {
			t.Fatalf("%s: %v: %d %v %s", format, err, w.Code, w.Header(), w.Body)
		}
		if format == "XML" && !strings.HasPrefix(w.Body.String(), "<QueryOrder>") {
			t.Errorf("the root is not QueryOrder: %s", w.Body)
		}
	}
	if fromJSON.RequestId == "" || fromXML.RequestId == "" {
		t.Error("no request id")
	}
	fromXML.RequestId = fromJSON.RequestId
	if d := cmp.Diff(fromJSON, fromXML); d != "" {
		t.Fatalf("JSON (-) and XML (+) differ:\n%s", d)
	}
	return fromJSON
}

// readDomain makes an Order of an answer.
func readDomain(t testing.TB, d domainOrder) Order {
	t.Helper()
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		v, err := time.Parse(localLayout+" -0700", s+" +0800")
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	money := func(s string) decimal.NullDecimal {
		if !strings.Contains(s, ".") {
			t.Errorf("Money %q has no fraction", s)
		}
		return decimal.NewNullDecimal(decimal.RequireFromString(s))
	}
	o := Order{
		OrderID: d.OrderID, ProductCode: "domain", CreateTime: at(d.OrderDate), PaymentTime: at(d.CheckDate), Prices: Prices{Pretax: money(d.Money)},
		PaymentStatus: map[[2]bool]string{{true, true}: "Paid", {false, true}: "Unpaid", {false, false}: "Cancelled"}[[2]bool{d.CheckFlag, d.ValidFlag}],
	}
	for _, l := range d.OrderProducts.SubOrderResult {
		if l.OrderID != d.OrderID || l.UserID != d.UserID || len(l.UserID) != 16 || l.OrderDate != d.OrderDate || l.CheckDate != d.CheckDate || l.CheckFlag != d.CheckFlag ||
			l.ValidFlag != d.ValidFlag || !strings.HasSuffix(l.RelatedName, strings.TrimSuffix(l.ProductName, " 域名")) || l.SaleID[1:] != l.TrackID[1:] ||
			l.PeriodUnit != 3 || l.PeriodNum < 1 || l.ClassID != "domain" || (l.UpdateDate == "") == d.CheckFlag || (l.ParentSaleID != "") != (l.ActionType == "renew") {
			t.Errorf("line %+v of order %+v", l, d)
		}
		o.OrderType = l.ActionType
		o.Items = append(o.Items, Item{
			ItemID: l.TrackID, InstanceIDs: []string{l.RelatedName}, Quantity: l.Amount, Prices: Prices{Pretax: money(l.Money)}, UsageEndTime: at(l.DeadDate),
		})
	}
	return o
}

func TestDomainTruthIsTheWire(t *testing.T) {
	a := domainAccount(600)
	s := New(a)
	observe := func() Truth {
		truth := Truth{Statuses: map[string]int{}, OrderAmounts: map[string]Amounts{}, ItemAmounts: map[string]Amounts{}}
		var orders, items Amounts
		for _, id := range a.IDs(time.Time{}, time.Time{}) {
			o := readDomain(t, queryOrder(t, s, a, id))
			if want, _ := a.Order(id); !cmp.Equal(want, o) {
				t.Fatalf("truth (-) and wire (+) differ:\n%s", cmp.Diff(want, o))
			}
			if len(id) != 16 || id[0] != 'D' {
				t.Fatalf("order id %q", id)
			}
			truth.Orders++
			truth.Statuses[o.PaymentStatus]++
			truth.IDDigest ^= xxhash.Sum64String(id)
			orders.Pretax = orders.Pretax.Add(o.Pretax.Decimal)
			for _, i := range o.Items {
				truth.Items++
				truth.ItemIDDigest ^= xxhash.Sum64String(i.ItemID)
				items.Pretax = items.Pretax.Add(i.Pretax.Decimal)
			}
		}
		truth.OrderAmounts[""], truth.ItemAmounts[""] = orders, items
		return truth
	}
	got := observe()
	if d := cmp.Diff(a.Truth(time.Time{}, time.Time{}), got); d != "" || len(got.Statuses) != 3 {
		t.Errorf("truth (-) and wire (+) differ:\n%s\n%v", d, got.Statuses)
	}
	if got.OrderAmounts[""].Pretax.Equal(got.ItemAmounts[""].Pretax) {
		t.Error("all orders add up, the documented one does not")
	}

	a.o.Now = fixedClock(a.o.To.Add(time.Hour))
	id, other := a.Unpaid()[0], a.Unpaid()[1]
	if d := queryOrder(t, s, a, id); d.CheckFlag || !d.ValidFlag || d.CheckDate != "" {
		t.Errorf("before it is settled: %+v", d)
	}
	if a.Pay(id) != nil || a.Pay(id) == nil || a.Cancel(other) != nil {
		t.Error("an order can be settled once")
	}
	if d := queryOrder(t, s, a, id); !d.CheckFlag || d.CheckDate != "2026-03-22 09:00:00" {
		t.Errorf("after it is settled: %+v", d)
	}
	if d := queryOrder(t, s, a, other); d.CheckFlag || d.ValidFlag {
		t.Errorf("after it is cancelled: %+v", d)
	}
	a.Add(3, a.o.To)
	if d := cmp.Diff(a.Truth(time.Time{}, time.Time{}), observe()); d != "" || a.DetailCalls(id) < 6 {
		t.Errorf("after changes, truth (-) and wire (+) differ:\n%s", d)
	}
}

// elements lists the paths of an XML document's elements, each once.
func elements(t testing.TB, doc string) map[string]bool {
	t.Helper()
	paths := map[string]bool{}
	path := ""
	for d := xml.NewDecoder(strings.NewReader(doc)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return paths
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			path += "/" + token.Name.Local
			paths[path] = true
		case xml.EndElement:
			path = path[:strings.LastIndexByte(path, '/')]
		}
	}
}

// An answer about a settled registration has the keys and types of the documented samples, in both formats.
func TestDomainSample(t *testing.T) {
	a := domainAccount(200)
	s := New(a)
	want := shape(sample(t, "domain-query-order.json"))
	doc, err := os.ReadFile("testdata/domain-query-order.xml")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, id := range a.IDs(time.Time{}, time.Time{}) {
		if o, _ := a.Order(id); o.PaymentStatus != "Paid" || o.OrderType != "activate" {
			continue
		}
		seen++
		_, m := answer(t, s, v1Signed(a, "POST", "", "Action", "QueryOrder", "OrderID", id, "Format", "JSON"))
		if d := cmp.Diff(want, shape(m)); d != "" {
			t.Fatalf("sample (-) and answer (+) differ:\n%s", d)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, v1Signed(a, "GET", "", "Action", "QueryOrder", "OrderID", id, "Format", "-")) // XML is the default
		if d := cmp.Diff(elements(t, string(doc)), elements(t, w.Body.String())); d != "" {
			t.Fatalf("sample (-) and answer (+) differ:\n%s", d)
		}
	}
	if seen == 0 {
		t.Error("no settled registration")
	}
	// The two samples are one order: what makes XML of JSON makes the one of the other.
	body, _ := os.ReadFile("testdata/domain-query-order.json")
	made := (&exchange{xml: true}).format(body, "QueryOrder")
	var fromJSON, fromXML, fromMade domainOrder
	if err := errors.Join(json.Unmarshal(body, &fromJSON), xml.Unmarshal(doc, &fromXML), xml.Unmarshal(made, &fromMade)); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(fromXML, fromMade) || !cmp.Equal(fromJSON, fromXML) || fromXML.OrderProducts.SubOrderResult[0].ProductName != ".site 域名" {
		t.Errorf("%+v\n%+v\n%+v", fromJSON, fromXML, fromMade)
	}
}

func TestDomainErrors(t *testing.T) {
	a := domainAccount(50)
	denied := domainAccount(50, func(o *Options) { o.AccessKeyID, o.DeniedActions = "denied", []string{"QueryOrder"} })
	s := start(t, a, denied)
	id := a.IDs(time.Time{}, time.Time{})[0]
	for name, c := range map[string]struct {
		account *Account
		args    []string
		status  int
		code    string
	}{
		"unknown":         {a, []string{"OrderID", "D201600000000000"}, 400, "OrderInformationInvalid"},
		"no D":            {a, []string{"OrderID", id[1:]}, 400, "OrderInformationInvalid"},
		"BSS's spelling":  {a, []string{"OrderId", id}, 400, "MissingParameter"},
		"wrong signature": {a, []string{"OrderID", id, "Signature", "x"}, 403, "SignatureDoesNotMatch"},
		"other signature": {a, []string{"OrderID", id, "SignatureVersion", "2.0"}, 400, "IncompleteSignature"},
		"denied":          {denied, []string{"OrderID", id}, 403, "NoPermission"},
	} {
		for _, format := range []string{"JSON", "XML", "-"} {
			args := append([]string{"Action", "QueryOrder", "Format", format}, c.args...)
			status, header, body, err := fetch(v1Signed(c.account, "GET", s.URL(), args...))
			if err != nil {
				t.Fatal(err)
			}
			var e struct{ RequestId, HostId, Code, Message string }
			if format == "JSON" {
				err = json.Unmarshal(body, &e)
			} else if err = xml.Unmarshal(body, &e); !strings.HasPrefix(string(body), "<Error>") || !strings.HasPrefix(header.Get("Content-Type"), "text/xml") {
				t.Errorf("%s: not XML: %s", name, body)
			}
			if err != nil || status != c.status || e.Code != c.code || e.RequestId == "" || e.HostId == "" || e.Message == "" {
				t.Errorf("%s in %s: %v: %d %s, want %d %s", name, format, err, status, body, c.status, c.code)
			}
		}
	}
	if _, _, body, _ := fetch(v1Signed(a, "GET", s.URL(), "Action", "QueryOrder", "OrderID", "D1", "Format", "JSON")); !strings.Contains(string(body), "Unable to get a valid order information.") {
		t.Errorf("%s", body)
	}
	if status, m := answer(t, s, v1Signed(a, "GET", "", "Action", "QueryOrder", "OrderID", id, "Format", "YAML")); status != 400 || m["Code"] != "InvalidParameter" {
		t.Errorf("%d %v", status, m)
	}
	if r := callAPI(t, s, a, "QueryOrder", "OrderID", id); r.Code != "InvalidVersion" {
		t.Errorf("another version: %s", r.raw)
	}
}

// Quotas, counters and scripts of faults work as for BSS, in both formats.
func TestDomainFaults(t *testing.T) {
	a := domainAccount(60, func(o *Options) { o.Quota.Detail = 5 })
	s := New(a)
	id := a.ids(time.Time{}, time.Time{}, func(o *order) bool { return o.lines > 1 })[0]
	query := func(format string) (int, string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, v1Signed(a, "GET", "", "Action", "QueryOrder", "OrderID", id, "Format", format))
		return w.Code, w.Body.String()
	}
	for i := range 8 {
		if status, body := query("XML"); (status == 200) != (i < 5) || (status != 200) != strings.Contains(body, "<Code>Throttling.User</Code>") {
			t.Errorf("call %d: %d %s", i, status, body)
		}
	}
	if c := a.Calls()["QueryOrder"]; c.Total != 8 || c.OK != 5 || c.Throttled != 3 {
		t.Errorf("%+v", c)
	}
	a.SetQuota(Quota{})
	var seen FaultRequest
	a.SetFault(func(q FaultRequest) Action { seen = q; return EmptyPage() })
	for format, empty := range map[string]string{"JSON": `"OrderProducts":{"SubOrderResult":[]}`, "XML": "<OrderProducts></OrderProducts>"} {
		if status, body := query(format); status != 200 || !strings.Contains(body, empty) || seen.OrderID != id || seen.API != "QueryOrder" {
			t.Errorf("%d %s; the fault sees %+v", status, body, seen)
		}
	}
	lines := strings.Count(func() string { a.SetFault(nil); _, b := query("XML"); return b }(), "<SubOrderResult>")
	for kind, mark := range map[string]map[string]string{
		"internal-error": {"JSON": `"Code":"InternalError"`, "XML": "<Code>InternalError</Code>"},
		"unknown-fields": {"JSON": `"DiscountPlan":{`, "XML": "<DiscountPlan><Name>新</Name><Steps>1</Steps>"},
	} {
		for format, want := range mark {
			script := NewScript(1, Rule{Kind: kind})
			a.SetFault(script.Fault)
			if _, body := query(format); !strings.Contains(body, want) || script.Injected()[kind] == 0 {
				t.Errorf("%s: no %s in %s", kind, want, body)
			}
		}
	}
	for seed := range uint64(20) { // every way to spoil a line is well-formed XML and leaves the other lines alone
		script := NewScript(seed, Rule{Kind: "bad-line"})
		a.SetFault(script.Fault)
		_, body := query("XML")
		elements(t, body)
		if strings.Count(body, "<SubOrderResult>") != lines || len(script.Losses()) != 1 || !json.Valid([]byte(script.Losses()[0].Sent)) {
			t.Errorf("seed %d: %+v\n%s", seed, script.Losses(), body)
		}
	}
	a.SetFault(func(FaultRequest) Action { return Action{Row: func(string, int, []byte) []byte { return []byte("{") }} })
	if status, body := query("XML"); status != 200 || !strings.HasPrefix(body, "{") {
		t.Errorf("%d %s", status, body)
	}
}

// Text of any kind survives, and money keeps a digit after the point.
func TestDomainForms(t *testing.T) {
	x := &exchange{xml: true}
	got := string(x.format([]byte(`{"a":"<&\"\u0001中","b":[],"c":[1,{"d":null}],"e":{}}`), "R"))
	if want := "<R><a>&lt;&amp;&#34;\uFFFD中</a><c>1</c><c><d></d></c><e></e></R>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for want, v := range map[string][2]int64{"8.0": {800, 2}, "0.0": {0, 6}, "12.34": {1234, 2}, "0.000001": {1, 6}, "-3.5": {-350, 2}} {
		if got := domainMoney(v[0], uint8(v[1])); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	for _, v := range []*vendor{bss, unicloud, domain} {
		for _, id := range []int64{200_000_000_000_007, 211_059_788_270_709, 949_999_999_999_998} {
			text := string(v.appendID(nil, id))
			back, ok := v.readID(text)
			if back != id || !ok || len(text) != v.idWidth {
				t.Errorf("%s: %d is written %s and read %d", v.name, id, text, back)
			}
			for _, wrong := range []string{"", "0" + text, text + "0", text + " ", strings.ToLower("x" + text), "-" + text, strconv.Itoa(42)} {
				if n, ok := v.readID(wrong); ok && string(v.appendID(nil, n)) != wrong {
					t.Errorf("%s: %q is read as %d", v.name, wrong, n)
				}
			}
		}
	}
}
