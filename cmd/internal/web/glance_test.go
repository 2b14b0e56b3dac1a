package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/cmd/internal/status"
	"github.com/ordersync/ordersync/cmd/internal/web"
	"github.com/ordersync/ordersync/schema"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// crowd serves a report of n streams: every fourth one is not well, in one of three ways.
func crowd(t *testing.T, n int) string {
	t.Helper()
	return listen(t, web.Options{Status: func(context.Context, status.Query) (*status.Report, error) {
		r := &status.Report{OK: n < 4, Now: noon, NextRun: noon.Add(time.Minute), Map: status.Map{Days: 35, CellSeconds: 3600, From: noon.AddDate(0, 0, -34), To: noon.AddDate(0, 0, 1)}}
		for i := range n {
			lag, since, whole := float64(600+i), noon.Add(-time.Hour), noon.Add(-time.Duration(600+i)*time.Second)
			l := status.Stream{Stream: schema.Stream{Account: "reseller", OwnerID: fmt.Sprintf("10000000%03d", i)}, TargetSeconds: 4380, LagSeconds: &lag, CompleteTo: &whole, ComparedAt: &since,
				OrdersToday: uint64(i), Orders: 1000, Diagnosis: diagnosis.Diagnosis{State: diagnosis.OK, Symptoms: []string{}}}
			switch i % 12 {
			case 3, 7:
				l.Diagnosis = diagnosis.Diagnosis{State: diagnosis.Failing, Since: &since, Cause: diagnosis.Vendor, Says: "bss QueryOrders: unavailable [HTTP 503] [request 1]", Cure: "wait",
					Symptoms: []string{"behind by 3h0m"}}
			case 11:
				l.LagSeconds, l.CompleteTo, l.ComparedAt = nil, nil, nil
				l.Diagnosis = diagnosis.Diagnosis{State: diagnosis.Stopped, Since: &since, Cause: diagnosis.Credentials, Says: "SignatureDoesNotMatch " + l.OwnerID, Cure: "`ordersync check`", Symptoms: []string{}}
			}
			l.Problems = l.Diagnosis.Problems()
			r.Accounts = append(r.Accounts, l)
		}
		return r, nil
	}}).URL()
}

// names are those of the table's rows, in their order.
func names(t *testing.T, url string) (out []string) {
	t.Helper()
	_, page := get(t, url)
	_, table, _ := strings.Cut(page, `<table class="glance">`)
	table, _, _ = strings.Cut(table, "</table>")
	for _, part := range strings.Split(table, `<a href="/?lane=reseller%2f`)[1:] {
		name, _, _ := strings.Cut(part, "#")
		out = append(out, strings.TrimPrefix(name, "10000000"))
	}
	return out
}

// The table has the worst first, and is sorted and narrowed by links alone.
func TestTableOfStreams(t *testing.T) {
	t.Parallel()
	url := crowd(t, 12)
	for query, want := range map[string]string{
		"":                                "011 007 003 010 009 008 006 005 004 002 001 000",
		"?sort=name":                      "000 001 002 003 004 005 006 007 008 009 010 011",
		"?sort=orders":                    "011 010 009 008 007 006 005 004 003 002 001 000",
		"?sort=behind":                    "011 010 009 008 007 006 005 004 003 002 001 000",
		"?state=failing":                  "007 003",
		"?find=0001":                      "011 010 001",
		"?find=SELLER/1000&state=stopped": "011",
		"?find=nobody":                    "",
		"?state=x&sort=y":                 "011 007 003 010 009 008 006 005 004 002 001 000",
	} {
		if got := strings.Join(names(t, url+"/"+query), " "); got != want {
			t.Errorf("%s: %s instead of %s", query, got, want)
		}
	}
	_, page := get(t, url)
	for _, part := range []string{"3 of 12 need you", "never whole", "1 stream", "1 stopped", "2 failing", "9 ok", "10m (1h13m)", "reseller/10000000007, reseller/10000000003</b>: failing since 11:00 (1h0m)",
		"<code>ordersync check</code>", "as of <time", `http-equiv="refresh" content="60"`} {
		if !strings.Contains(page, part) {
			t.Errorf("no %s in\n%s", part, page)
		}
	}
}

// 300 owners are a page and no more, on a phone and on a desk, and with the causes of all those that are not well.
func TestThreeHundredOwners(t *testing.T) {
	t.Parallel()
	url := crowd(t, 300)
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) > 200_000 {
		t.Errorf("the page has %d bytes, %v", len(body), err)
	}
	if n := len(names(t, url)); n != 300 {
		t.Errorf("%d rows", n)
	}
	ctx := tab(t)
	for _, width := range []int64{375, 1200} {
		do(t, ctx, chromedp.EmulateViewport(width, 812), chromedp.Navigate(url))
		if wide := eval[float64](t, ctx, "document.documentElement.scrollWidth"); wide > float64(width) {
			t.Errorf("the page is %v px wide on %d: %s", wide, width, eval[string](t, ctx,
				`[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80)).slice(0, 5).join('\n')`))
		}
	}
	// Twelve fit a screen of a desk together with what is wrong.
	do(t, ctx, chromedp.EmulateViewport(1200, 1080), chromedp.Navigate(crowd(t, 12)))
	if bottom := eval[float64](t, ctx, "document.querySelector('.glance').getBoundingClientRect().bottom"); bottom > 1080 {
		t.Errorf("the table of 12 ends at %v px", bottom)
	}
}
