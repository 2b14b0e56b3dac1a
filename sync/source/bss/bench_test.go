package bss

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ordersync/ordersync/sync/source/internal/wire"
)

// benchPage is a page of orders as the vendor sends them.
func benchPage(rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"Code":"Success","Message":"Successful!","RequestId":"61293E7A-3406-4447-8620-EC88B0AA66AD","Success":true,`+
		`"Data":{"HostName":"h","PageNum":1,"PageSize":%d,"TotalCount":1234,"OrderList":{"Order":[`, rows)
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"PretaxAmount":"%d.25","CommodityCode":"alikafka_post","RelatedOrderId":"234535345345342",`+
			`"CreateTime":"2024-06-08T09:41:%02dZ","Currency":"CNY","SubscriptionType":"PayAsYouGo","PaymentCurrency":"CNY",`+
			`"ProductType":"alikafka_post","AfterTaxAmount":"%d.25","PaymentTime":"2024-06-08T09:42:30Z","PretaxGrossAmount":%d.5,`+
			`"OrderType":"New","PaymentStatus":"Paid","OrderId":"2110597882707%02d","Tax":"0","PretaxAmountLocal":"%d.25",`+
			`"ProductCode":"alikafka"}`, i, i%60, i, i, i%100, i)
	}
	b.WriteString(`]}}}`)
	return b.String()
}

func benchDetail(lines int) string {
	var b strings.Builder
	b.WriteString(`{"Code":"Success","Message":"Successful!","RequestId":"R","Success":true,"Data":{"OrderList":{"Order":[`)
	for i := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"AfterTaxAmount":0,"PretaxGrossAmount":1.5,"PretaxAmount":12.25,"PretaxAmountLocal":12.25,"Quantity":1,`+
			`"Config":"","OriginalConfig":"alikafka_post:[region:cn-shanghai;disk_size:500;]",`+
			`"InstanceIDs":"[\"alikafka_post-cn-7pp2ab12c00%d\"]","OrderId":"211059788270709","SubOrderId":"21105978827071%d",`+
			`"CommodityCode":"alikafka_post","ProductType":"alikafka_post","ProductCode":"alikafka","CreateTime":"2021-08-05T03:12:44Z",`+
			`"PaymentTime":"2021-08-05T03:12:44Z","UsageStartTime":"2021-08-05T03:12:44Z","UsageEndTime":"2121-08-05T16:00:00Z",`+
			`"PaymentStatus":"Paid","OrderType":"New","OrderSubType":"ProductSubOrder","Currency":"CNY","Region":"cn-shanghai",`+
			`"SubscriptionType":"PayAsYouGo","ExtendInfos":{"k":"v"}}`, i, i)
	}
	b.WriteString(`]}}}`)
	return b.String()
}

func BenchmarkPageOf20(b *testing.B) {
	body := benchPage(20)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := parseEnvelope(body)
		if err != nil {
			b.Fatal(err)
		}
		a := wire.Answer{Envelope: e}
		if p, err := listing(&a, testStream, 20); err != nil || len(p.Orders) != 20 {
			b.Fatal(p, err)
		}
	}
}

func BenchmarkDetailOf2(b *testing.B) {
	body := benchDetail(2)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := parseEnvelope(body)
		if err != nil {
			b.Fatal(err)
		}
		a := wire.Answer{Envelope: e}
		if d, err := detail(&a, testStream, "211059788270709"); err != nil || len(d.Items) != 2 {
			b.Fatal(d, err)
		}
	}
}
