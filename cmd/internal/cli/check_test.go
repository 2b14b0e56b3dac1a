package cli_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// refuse makes every call of the world's account end with an answer.
func (w *world) refuse(status int, body string) {
	w.account.SetFault(func(simulator.FaultRequest) simulator.Action { return simulator.Action{Status: status, Body: body} })
}

// Only what knows orders can say that one is unknown: every other refusal is no proof that the Domain API answers.
func TestCheckOfTheDomainAPI(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, simulator.Options{Orders: 5, Vendor: simulator.VendorDomain})
	w.configure("source: bss", "source: domain")
	contains(t, w.run(0, "check").out, "ok     order detail of main", "answers; the source cannot list orders")
	for body, status := range map[string]int{
		`{"Code":"InvalidAction.NotFound","Message":"m"}`:  404,
		`{"code":"InvalidApi.NotFound","message":"m"}`:     404,
		`{"Code":"InvalidVersion","Message":"m"}`:          400,
		`{"Code":"UnsupportedOperation","Message":"m"}`:    400,
		`{"Code":"MissingParameter.OrderID","Message":""}`: 400,
		`<html>404 Not Found</html>`:                       404,
	} {
		w.refuse(status, body)
		if out := w.runWith("", "check").out; !strings.Contains(out, "FAILED order detail of main") {
			t.Errorf("%s:\n%s", body, out)
		}
	}
	w.refuse(http.StatusBadRequest, `{"Code":"OrderInformationInvalid","Message":"m"}`)
	contains(t, w.run(0, "check").out, "ok     order detail of main")
}

// An account without orders, ever or lately, is told apart, and the wrong site is named as a reason.
func TestCheckOfAnAccountWithoutOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.configure()
	w.account.ResetCounters()
	contains(t, w.run(0, "check").out, "warn   order list of main", "there has never been an order", "check site (it is china)",
		"warn   order detail of main", "not tried")
	if n := w.account.Calls()["QueryOrders"].Total; n != 3 {
		t.Errorf("%d calls", n)
	}
	w.account.Add(7, time.Now().AddDate(-1, 0, 0))
	contains(t, w.run(0, "check").out, "ok     order list of main", "there are no orders in the last 30 days, and 7 before", "ok     order detail of main")

	unicloud := newWorldWith(t, simulator.Options{Vendor: simulator.VendorUniCloud})
	unicloud.configure("source: bss", "source: unicloud")
	if out := unicloud.run(0, "check").out; !strings.Contains(out, "there has never been an order") || strings.Contains(out, "check site") {
		t.Error(out)
	}
}

// What the vendor says of a missing permission takes the place of our guess.
func TestCheckSaysWhatIsDenied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.configure()
	w.refuse(403, `{"Code":"NoPermission","Message":"m","AccessDeniedDetail":{"AuthAction":"bssapi:QueryOrders","NoPermissionType":"ExplicitDeny","PolicyType":"ControlPolicy"}}`)
	out := w.run(3, "check").out
	contains(t, out, "FAILED order list of main", "a policy denies bssapi:QueryOrders", "ExplicitDeny, ControlPolicy")
	if strings.Contains(out, "bss:DescribeOrderList") {
		t.Error(out)
	}
}

// One login behind two accounts is named, in one source; the key of a role is not the login.
func TestCheckOfOneLoginTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.configure("clickhouse:", `  - name: again
    source: bss
    endpoint: `+w.url+`
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
  - name: domains
    source: domain
    endpoint: `+w.url+`
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
  - name: another
    source: bss
    endpoint: `+w.url+`
    credentials: {access_key_id: another, access_key_secret: "${TEST_SECRET}"}
clickhouse:`)
	out := w.runWith("", "check").out
	contains(t, out, "warn   login of again", "is the login of account main, or another of the same")
	if strings.Count(out, "login of") != 2 || strings.Contains(out, "testid") {
		t.Error(out)
	}
}
