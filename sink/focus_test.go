package sink_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink"
)

// fillForFocus writes charges of all kinds, each a case of the specification.
func fillForFocus(t *testing.T, s *sink.Sink) {
	t.Helper()
	march, april := time.Date(2024, 3, 31, 23, 0, 0, 0, time.UTC), time.Date(2024, 4, 1, 1, 0, 0, 0, time.UTC)
	var b sink.Batch
	add := func(source, owner, orderType, status string, at time.Time, change func(*schema.Item)) {
		o := order(len(b.Orders))
		o.OrderID, o.Source, o.OwnerID, o.OrderType, o.PaymentStatus = fmt.Sprintf("o%d", len(b.Orders)), source, owner, orderType, status
		o.CreateTime, o.PaymentTime = at, time.Time{}
		i := item(o, 1)
		i.OrderType, i.OrderSubType = orderType, ""
		i.Amounts = schema.Amounts{PretaxGross: amount("100"), Pretax: amount("80"), Tax: amount("4.8"), AfterTax: amount("84.8")}
		i.Quantity, i.InstanceIDs = amount("2"), []string{"i-1", "i-2"}
		i.SubscriptionType, i.UsageStartTime, i.UsageEndTime = "Subscription", at, at.AddDate(0, 1, 0)
		change(&i)
		b.Orders, b.Items = append(b.Orders, o), append(b.Items, i)
	}
	same := func(*schema.Item) {}
	add("bss", "", "New", "Paid", march, same)
	add("bss", "", "Refund", "", april, func(i *schema.Item) { i.RelatedOrderID = "o0" })                      // of an earlier period
	add("bss", "", "New", "Paid", april, func(i *schema.Item) { i.InstanceIDs, i.ProductCode = nil, "novel" }) // 2
	add("bss", "", "Refund", "", april, func(i *schema.Item) { i.RelatedOrderID, i.InstanceIDs = "o2", nil })  // of the same period
	add("bss", "1234", "Renew", "Paid", april, func(i *schema.Item) { i.Region, i.Quantity, i.Pretax = "", amount("3"), amount("100") })
	add("bss", "", "New", "Paid", april, func(i *schema.Item) { // by use, at no price
		i.Amounts = schema.Amounts{Pretax: amount("0")}
		i.SubscriptionType, i.UsageEndTime, i.Quantity = "PayAsYouGo", april.AddDate(100, 0, 0), schema.Money{}
	})
	add("unicloud", "", "NEW", "PAID", april, func(i *schema.Item) { i.Currency = "" })         // no charge without a currency
	add("bss", "", "New", "Paid", april, func(i *schema.Item) { i.Amounts = schema.Amounts{} }) // nor without an amount
	add("bss", "", "New", "Unpaid", april, same)
	add("bss", "", "New", "Cancelled", april, same)
	write(t, s, b)
}

// The view focus_charges has the columns of the specification, with their types, and nothing that it does not allow.
func TestFocus(t *testing.T) {
	t.Parallel()
	s := open(t)
	fillForFocus(t, s)
	file, err := os.Open("testdata/focus-1.2.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comment = '#'
	specified, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]string{}
	var names []string
	for _, text := range texts(t, s.Conn(), "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'focus_charges' ORDER BY position") {
		m := regexp.MustCompile(`^\('(\w+)','(.*)'\)$`).FindStringSubmatch(text)
		columns[m[1]] = strings.ReplaceAll(m[2], `\'`, "'")
		names = append(names, m[1])
	}
	types := map[string]string{"String": "String", "JSON": "String", "Decimal": "Decimal(38, 12)", "Date/Time": "DateTime64(3, 'UTC')"}
	rules := map[string]string{ // what is wrong, as a condition
		"a charge without a cost":     "BilledCost = 0 AND ListCost = 0 AND x_OrderId != 'o5'",
		"a tax with a price":          "ChargeCategory = 'Tax' AND (isNotNull(PricingQuantity) OR isNotNull(SkuId) OR isNotNull(ListUnitPrice) OR isNotNull(PricingCategory))",
		"a purchase without a SKU":    "ChargeCategory = 'Purchase' AND (isNull(SkuId) OR isNull(PricingCategory))",
		"a quantity without a unit":   "isNull(PricingUnit) != isNull(PricingQuantity)",
		"a contracted price":          "ContractedUnitPrice * PricingQuantity != ContractedCost OR ContractedUnitPrice < 0",
		"a list price":                "ListUnitPrice * PricingQuantity != ListCost OR ListUnitPrice < 0",
		"an id without name or type":  "isNull(RegionName) != isNull(RegionId) OR isNull(ResourceType) != isNull(ResourceId) OR isNull(SubAccountType) != isNull(SubAccountId)",
		"a period that is none":       "ChargePeriodStart >= ChargePeriodEnd OR BillingPeriodStart >= BillingPeriodEnd",
		"a time beside its time zone": "BillingPeriodStart != toStartOfMonth(BillingPeriodStart)",
	}
	var want []string
	for _, c := range specified {
		name, kind, nulls, allowed := c[0], types[c[1]], c[3] == "True", strings.Split(c[4], "; ")
		want = append(want, name)
		if nulls {
			kind = "Nullable(" + kind + ")"
		}
		if got := columns[name]; got != kind && got != "LowCardinality("+kind+")" {
			t.Errorf("%s is %s, and the specification wants %s", name, got, kind)
		}
		if c[1] == "String" {
			rules[name+" is empty, and not NULL"] = name + " = ''"
		}
		if c[4] == "" {
			continue
		}
		value := name
		if name == "ServiceSubcategory" {
			value = "concat(ServiceCategory, '/', ServiceSubcategory)"
		}
		for _, v := range texts(t, s.Conn(), "SELECT DISTINCT assumeNotNull("+value+") FROM focus_charges WHERE isNotNull("+name+")") {
			if v = strings.TrimSuffix(strings.TrimPrefix(v, "('"), "')"); !slices.Contains(allowed, v) {
				t.Errorf("%s has the value %q, which is none of %q", name, v, allowed)
			}
		}
	}
	for _, name := range names[min(len(want), len(names)):] {
		if !strings.HasPrefix(name, "x_") {
			t.Errorf("%s is no column of the specification, and does not say so", name)
		}
	}
	equal(t, names[:min(len(want), len(names))], want)

	var broken []string
	for what, condition := range rules {
		broken = append(broken, "if(countIf("+condition+") > 0, "+schema.Quote(what)+", '')")
	}
	equal(t, texts(t, s.Conn(), "SELECT arrayJoin(arrayFilter(x -> x != '', ["+strings.Join(broken, ", ")+"])) FROM focus_charges"), nil)
	equal(t, texts(t, s.Conn(), `SELECT x_OrderId, ChargeCategory, ChargeClass, toString(sum(BilledCost)), toString(sum(ListCost)), toString(sum(PricingQuantity)),
		arraySort(groupUniqArray(ifNull(ResourceId, '-'))) AS ids, toString(any(BillingPeriodStart)), any(ServiceCategory)
		FROM focus_charges GROUP BY x_OrderId, ChargeCategory, ChargeClass ORDER BY x_OrderId, ChargeCategory`), []string{
		"('o0','Purchase',NULL,'80','100','2',['i-1','i-2'],'2024-03-01 00:00:00.000','Databases')",
		"('o0','Tax',NULL,'4.8','4.8',NULL,['i-1','i-2'],'2024-03-01 00:00:00.000','Databases')",
		"('o1','Purchase','Correction','-80','-100','-2',['i-1','i-2'],'2024-04-01 00:00:00.000','Databases')",
		"('o1','Tax','Correction','-4.8','-4.8',NULL,['i-1','i-2'],'2024-04-01 00:00:00.000','Databases')",
		"('o2','Purchase',NULL,'80','100','2',['-'],'2024-04-01 00:00:00.000','Other')",
		"('o2','Tax',NULL,'4.8','4.8',NULL,['-'],'2024-04-01 00:00:00.000','Other')",
		"('o3','Purchase',NULL,'-80','-100','-2',['-'],'2024-04-01 00:00:00.000','Databases')",
		"('o3','Tax',NULL,'-4.8','-4.8',NULL,['-'],'2024-04-01 00:00:00.000','Databases')",
		"('o4','Purchase',NULL,'100','100','3',['i-1','i-2'],'2024-04-01 00:00:00.000','Databases')",
		"('o4','Tax',NULL,'4.8','4.8',NULL,['i-1','i-2'],'2024-04-01 00:00:00.000','Databases')",
		"('o5','Purchase',NULL,'0','0',NULL,['i-1','i-2'],'2024-04-01 00:00:00.000','Databases')",
	})
	equal(t, texts(t, s.Conn(), "SELECT toString(sum(BilledCost)) FROM focus_charges"),
		texts(t, s.Conn(), "SELECT toString(sum(net) + sum(tax)) FROM spend WHERE currency != ''"))
}
