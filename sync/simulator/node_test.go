package simulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// nodeVariable decides about the test with the vendor's SDK for Node: "require" makes it fail where it cannot be run,
// "skip" leaves it out; unset, it is skipped where Node, npm or npm's registry is missing.
const nodeVariable = "ORDERSYNC_TEST_NODE"

// sdk is the vendor's SDK for Node in a process of its own.
type sdk struct {
	t        *testing.T
	account  *Account
	endpoint string
	in       io.Writer
	out      *bufio.Scanner
}

// outcome of a call: a body, in the vendor's names, or an error as the SDK has it.
type sdkOutcome struct {
	Body  map[string]any
	Error *struct {
		Name, Code, Message, RequestID string
		StatusCode                     int
		RetryAfter                     *int
		AccessDeniedDetail             map[string]any
	}
}

// nodeSDK installs the SDK, as the committed lock file has it, and starts it.
func nodeSDK(t *testing.T) *sdk {
	t.Helper()
	cannot := func(err error) {
		t.Helper()
		if os.Getenv(nodeVariable) == "require" {
			t.Fatalf("%s=require: %v", nodeVariable, err)
		}
		t.Skipf("%v (%s=require makes this a failure)", err, nodeVariable)
	}
	if os.Getenv(nodeVariable) == "skip" {
		t.Skip(nodeVariable + "=skip")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			cannot(fmt.Errorf("%w: apt-get install nodejs npm", err))
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "client.js"} {
		content, err := os.ReadFile(filepath.Join("testdata", "node", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		cannot(fmt.Errorf("npm ci: %w\n%s", err, out))
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute) // it ends with its input, or else then
	t.Cleanup(stop)
	node := exec.CommandContext(ctx, "node", "client.js")
	node.Dir = dir
	// The SDK asks a proxy even for this machine.
	node.Env = slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return strings.HasSuffix(strings.ToUpper(name), "_PROXY")
	})
	var problems bytes.Buffer
	node.Stderr = &problems
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := node.Wait(); err != nil {
			t.Errorf("node: %v\n%s", err, problems.String())
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	return &sdk{t: t, in: in, out: lines}
}

// call makes one call by the SDK.
func (s *sdk) call(method string, request map[string]any) (o sdkOutcome) {
	s.t.Helper()
	question, err := json.Marshal(map[string]any{
		"endpoint": s.endpoint, "accessKeyId": s.account.o.AccessKeyID, "accessKeySecret": s.account.o.AccessKeySecret,
		"securityToken": s.account.o.SecurityToken, "method": method, "request": request,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.in.Write(append(question, '\n')); err != nil {
		s.t.Fatal(err)
	}
	if !s.out.Scan() {
		s.t.Fatalf("%s %v: no outcome: %v", method, request, s.out.Err())
	}
	d := json.NewDecoder(bytes.NewReader(s.out.Bytes()))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		s.t.Fatalf("%v: %s", err, s.out.Bytes())
	}
	return o
}

// rows makes a call that must succeed, and returns the rows in its answer.
func (s *sdk) rows(method string, request map[string]any, list, row string) (rows []map[string]any, total string) {
	s.t.Helper()
	o := s.call(method, request)
	if o.Error != nil || o.Body["Success"] != true || o.Body["Code"] != "Success" {
		s.t.Fatalf("%s %v: %+v, %v", method, request, o.Error, o.Body)
	}
	data := o.Body["Data"].(map[string]any)
	wrapper, _ := data[list].(map[string]any)
	all, _ := wrapper[row].([]any)
	for _, r := range all {
		rows = append(rows, r.(map[string]any))
	}
	return rows, fmt.Sprint(data["TotalCount"])
}

// The vendor's own SDK for Node gets whole lists, all details, the products, cancellations and refusals from the simulator,
// and what it gets is the truth. Its models are generated from the vendor's metadata, so this is what the documents mean.
func TestNodeSDK(t *testing.T) {
	t.Parallel()
	s := nodeSDK(t)
	a := testAccount(300, func(o *Options) { o.Now = time.Now })
	temporary := testAccount(20, func(o *Options) {
		o.Now, o.AccessKeyID, o.SecurityToken = time.Now, "temporary", "a+b/c="
	})
	limited := testAccount(20, func(o *Options) {
		o.Now, o.AccessKeyID, o.DeniedActions, o.Quota = time.Now, "limited", []string{"QueryProductList"}, Quota{Detail: 1}
	})
	server := start(t, a, temporary, limited)
	s.endpoint = strings.TrimPrefix(server.URL(), "http://")

	for _, account := range []*Account{temporary, a} {
		s.account = account
		s.compare()
	}
	// What nobody documents is not in the default because this is what comes of it.
	a.SetFault(NewScript(1, Rule{Kind: "instance-array"}).Fault)
	if o := s.call("getOrderDetail", map[string]any{"orderId": a.IDs(a.o.From, a.o.To)[0]}); o.Error == nil {
		t.Errorf("the SDK has read %v", o.Body)
	}
	a.SetFault(nil)
	s.products()
	s.cancel()
	s.refusals(limited)
}

// compare reads all orders with their details.
func (s *sdk) compare() {
	s.t.Helper()
	a, n := s.account, 0
	for page, total := 1, 1; n < total; page++ {
		rows, said := s.rows("queryOrders", map[string]any{
			"createTimeStart": stamp(a.o.From), "createTimeEnd": stamp(a.o.To), "pageNum": page, "pageSize": 50,
		}, "OrderList", "Order")
		if total = a.Len(); said != fmt.Sprint(total) || len(rows) == 0 {
			s.t.Fatalf("page %d has %d rows of %s, want %d", page, len(rows), said, total)
		}
		for _, row := range rows {
			n++
			id := row["OrderId"].(string)
			lines, _ := s.rows("getOrderDetail", map[string]any{"orderId": id}, "OrderList", "Order")
			truth, ok := a.Order(id)
			if got := read(s.t, row, lines); !ok || !cmp.Equal(truth, got, sameAmount) {
				s.t.Errorf("order %s: -truth +SDK\n%s", id, cmp.Diff(truth, got, sameAmount))
			}
		}
	}
}

// sameAmount compares amounts as the SDK can hold them: JavaScript's numbers are doubles.
var sameAmount = cmp.Comparer(func(a, b decimal.NullDecimal) bool {
	return a.Valid == b.Valid && (a.Decimal.Equal(b.Decimal) || a.Decimal.InexactFloat64() == b.Decimal.InexactFloat64())
})

func (s *sdk) products() {
	s.t.Helper()
	var got []Product
	for page, total := 1, "449"; len(got) < len(Products()); page++ {
		rows, said := s.rows("queryProductList", map[string]any{"pageNum": page, "pageSize": 100, "queryTotalCount": true}, "ProductList", "Product")
		if said != total || len(rows) == 0 {
			s.t.Fatalf("page %d has %d products of %s", page, len(rows), said)
		}
		for _, r := range rows {
			text := func(k string) string { v, _ := r[k].(string); return v }
			got = append(got, Product{Code: text("ProductCode"), Type: text("ProductType"), Subscription: text("SubscriptionType"), Name: text("ProductName")})
		}
	}
	if d := cmp.Diff(Products(), got); d != "" {
		s.t.Errorf("-list +SDK\n%s", d)
	}
}

func (s *sdk) cancel() {
	s.t.Helper()
	id := s.account.Unpaid()[0]
	if o := s.call("cancelOrder", map[string]any{"orderId": id}); o.Error != nil || o.Body["Success"] != true {
		s.t.Errorf("%+v", o)
	}
	if o, _ := s.account.Order(id); o.PaymentStatus != "Cancelled" {
		s.t.Errorf("%+v", o)
	}
	if e := s.call("cancelOrder", map[string]any{"orderId": id}).Error; e == nil || e.Code != "InvalidParameter" {
		s.t.Errorf("%+v", e)
	}
}

// refusals provokes errors that the SDK must know for what they are.
func (s *sdk) refusals(limited *Account) {
	s.t.Helper()
	type call struct {
		method  string
		request map[string]any
	}
	list := call{"queryOrders", map[string]any{}}
	fault := func(kind string) { s.account.SetFault(NewScript(1, Rule{Kind: kind}).Fault) }
	full := s.account
	for _, tc := range []struct {
		what   string
		before func()
		call   call
		name   string
		code   string
		status int
	}{
		{"owner", nil, call{"queryOrders", map[string]any{"ownerId": 1234567890123}}, "ClientError", "InvalidOwner", 400},
		{"argument", nil, call{"queryOrders", map[string]any{"pageSize": 9999}}, "ClientError", "InvalidParameter", 400},
		{"key", func() { s.account = testAccount(0, func(o *Options) { o.AccessKeyID = "nobody" }) }, list, "ClientError", "InvalidAccessKeyId.NotFound", 404},
		{"secret", func() { s.account = testAccount(0, func(o *Options) { o.AccessKeySecret = "wrong" }) }, list, "ClientError", "SignatureDoesNotMatch", 403},
		{"no such API", nil, call{"queryBill", map[string]any{"billingCycle": "2026-03"}}, "ClientError", "InvalidAction.NotFound", 404},
		{"unsupported", nil, call{"payOrder", map[string]any{"orderId": "1"}}, "ClientError", "UnsupportedOperation", 400},
		{"internal", func() { fault("internal-error") }, list, "ServerError", "InternalError", 500},
		{"lower case", func() { fault("lower-case-error") }, list, "ServerError", "ServiceUnavailable", 503},
		{"throttle", func() { fault("throttle") }, list, "ThrottlingError", "", 0},
		{"permission", func() { s.account = limited }, call{"queryProductList", map[string]any{"pageNum": 1}}, "ClientError", "NoPermission", 403},
		{"quota", func() {
			s.account = limited
			s.call("getOrderDetail", map[string]any{"orderId": "1"})
		}, call{"getOrderDetail", map[string]any{"orderId": "1"}}, "ThrottlingError", "Throttling.User", 400},
	} {
		if s.account = full; tc.before != nil {
			tc.before()
		}
		o := s.call(tc.call.method, tc.call.request)
		full.SetFault(nil)
		e := o.Error
		if e == nil || e.Name != tc.name || tc.code != "" && e.Code != tc.code || tc.status != 0 && e.StatusCode != tc.status || e.RequestID == "" || e.Message == "" {
			s.t.Errorf("%s: %+v, %v", tc.what, e, o.Body)
			continue
		}
		switch tc.what {
		case "permission":
			if e.AccessDeniedDetail["AuthAction"] != "bss:QueryProductList" {
				s.t.Errorf("%+v", e)
			}
		case "quota":
			if e.RetryAfter == nil || *e.RetryAfter < 1 || *e.RetryAfter > 1000 {
				s.t.Errorf("%+v", e)
			}
		}
	}
}
