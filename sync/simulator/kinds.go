package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is one way in which the vendor, or the way to it, misbehaves.
type Kind struct {
	Name, About string

	scope scope
	side  side
	loses bool    // what it happens to is unavailable while it lasts
	chaos float64 // the highest Probability that Chaos sets; 0 keeps it out
	act   func(*random, *FaultRequest) Action
	// alter changes a row or line of an order and returns nil where it leaves it alone. It makes the kind one about rows.
	alter alteration
}

// scope is what a kind is about: what its Probability counts and what its decisions stay with.
type scope int

const (
	perCall scope = iota
	perOrder
	perHour
	perAccount
)

// side is which calls a kind can happen to.
type side int

const (
	listings side = 1 << iota // of orders
	details
	others  // products and cancelling: what goes wrong with orders does not go wrong with these
	anyCall = listings | details | others
)

func (q *FaultRequest) side() side {
	switch {
	case q.API == "QueryProductList" || q.API == "CancelOrder":
		return others
	case q.OrderID != "":
		return details
	}
	return listings
}

// Kinds lists all kinds of faults.
func Kinds() []Kind { return slices.Clone(kinds) }

// allKinds names them, for messages.
func allKinds() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

func findKind(name string) *Kind {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &kinds[i]
}

// kinds is the catalogue.
var kinds = []Kind{
	{Name: "throttle", About: "a throttling code with 400 or 429, with or without rate-limit headers", side: anyCall, chaos: 0.15, act: throttle},
	{Name: "retry-after", About: "429 Throttling.Api with Retry-After: 1", side: anyCall, act: exactly(retryLater)},
	{Name: "acs-retry-after", About: "a code that is no throttle's, which x-acs-retry-after makes one", side: anyCall, act: retryMillis},
	{Name: "throttle200", About: "a throttling code in a 200 with Success false", side: anyCall, chaos: 0.08, act: refusal(200, "Throttling.User")},
	{Name: "error200", About: "InternalError in a 200 with Success false", side: anyCall, chaos: 0.06, act: refusal(200, "InternalError")},
	{Name: "internal-error", About: "500 InternalError", side: anyCall, chaos: 0.08, act: refusal(500, "InternalError")},
	{Name: "unavailable", About: "503 ServiceUnavailable", side: anyCall, chaos: 0.08, act: refusal(503, "ServiceUnavailable")},
	{Name: "lower-case-error", About: "503 ServiceUnavailable whose keys are in lower case, as the vendor's SDKs accept them", side: anyCall, act: exactly(lowerCaseError)},
	{Name: "html502", About: "a proxy's 502 in HTML", side: anyCall, chaos: 0.06, act: exactly(badGateway)},
	{Name: "truncated", About: "200 with JSON that is cut off", side: anyCall, chaos: 0.06, act: truncated},
	{Name: "empty200", About: "200 with nothing in it", side: anyCall, chaos: 0.06, act: exactly(Action{Status: 200})},
	{Name: "wrong-shape", About: "200 with something in Data that does not belong there", side: anyCall, chaos: 0.05, act: wrongShape},
	{Name: "reset", About: "the connection is reset instead of an answer", side: anyCall, chaos: 0.06, act: exactly(Action{Reset: true})},
	{Name: "reset-midway", About: "the connection is reset in the middle of the answer", side: anyCall, chaos: 0.05, act: resetMidway},
	{Name: "hang", About: "no answer until the client gives up", side: anyCall, chaos: 0.01, act: exactly(Action{Hang: true})},
	{Name: "slow", About: "an answer up to 50 ms late", side: anyCall, chaos: 0.05, act: slow},
	{Name: "drip", About: "an answer in small pieces, for about 20 ms", side: anyCall, chaos: 0.03, act: exactly(Action{Drip: Drip{Bytes: 600, Every: time.Millisecond}})},

	{Name: "wrong-total", About: "TotalCount too high, too low or zero", side: listings, chaos: 0.2, act: oneOf(totalHigh, totalLow, exactly(Action{Total: noTotal}))},
	{Name: "total-high", About: "TotalCount too high", side: listings, act: totalHigh},
	{Name: "total-low", About: "TotalCount too low", side: listings, act: totalLow},
	{Name: "total-cap", About: "TotalCount is 100 at the most, and no later page has a row", side: listings, act: totalCap},
	{Name: "lists-nothing", About: "success with an empty listing", side: listings, act: exactly(Action{Total: noTotal, Drop: EmptyPage().Drop})},
	{Name: "total-zero", About: "TotalCount 0", side: listings, act: exactly(Action{Total: noTotal})},
	{Name: "empty-page", About: "a page without rows", side: listings, chaos: 0.2, act: exactly(EmptyPage())},
	{Name: "short-page", About: "a page of which the last rows are missing", side: listings, chaos: 0.2, act: shortPage},
	{Name: "shifted-page", About: "a page after the first that is one row off, as when orders come and go", side: listings, chaos: 0.2, act: shiftedPage},
	{Name: "page-cap", About: "pages are smaller than asked for, and PageSize says so", scope: perAccount, side: listings, chaos: 1, act: pageCap(false)},
	{Name: "page-cap-silent", About: "pages are smaller than asked for", scope: perAccount, side: listings, chaos: 1, act: pageCap(true)},

	{Name: "unknown-fields", About: "orders with fields that no document knows", scope: perOrder, side: anyCall, chaos: 0.1, alter: unknownFields},
	{Name: "unknown-values", About: "orders with an unknown OrderType and SubscriptionType", scope: perOrder, side: anyCall, chaos: 0.1, alter: unknownValues},
	{Name: "unknown-status", About: "orders with an unknown PaymentStatus, which the truth does not have", scope: perOrder, side: anyCall, alter: unknownStatus},

	{Name: "binary-dust", About: "orders with an amount that is a JSON number with the dust of a float64, where it has any", scope: perOrder, side: anyCall, alter: binaryDust},
	{Name: "instance-array", About: "orders whose lines have InstanceIDs as an array, which the vendor's SDKs cannot read", scope: perOrder, side: details, alter: instanceArray},

	{Name: "bad-row", About: "rows of a listing that cannot be decoded: one of the next six", scope: perOrder, side: listings, loses: true, chaos: 0.03, alter: anyOf(rowSpoilers...)},
	{Name: "bad-amount", About: "rows with an amount that is none", scope: perOrder, side: listings, loses: true, alter: badAmount},
	{Name: "long-amount", About: "rows with an amount of 40 digits", scope: perOrder, side: listings, loses: true, alter: longAmount},
	{Name: "no-order-id", About: "rows without OrderId", scope: perOrder, side: listings, loses: true, alter: noOrderID},
	{Name: "bad-create-time", About: "rows with a CreateTime that is none", scope: perOrder, side: listings, loses: true, alter: badCreateTime},
	{Name: "no-create-time", About: "rows without CreateTime", scope: perOrder, side: listings, loses: true, alter: noCreateTime},
	{Name: "row-is-number", About: "rows that are a number", scope: perOrder, side: listings, loses: true, alter: rowIsNumber},
	{Name: "bad-line", About: "orders whose detail's first line cannot be decoded", scope: perOrder, side: details, loses: true, chaos: 0.03, alter: badLine},
	{Name: "detail-500", About: "orders whose detail is always 500 InternalError", scope: perOrder, side: details, loses: true, chaos: 0.01, act: refusal(500, "InternalError")},
	{Name: "detail-400", About: "orders whose detail is always 400 InvalidParameter", scope: perOrder, side: details, loses: true, chaos: 0.03, act: refusal(400, "InvalidParameter")},
	{Name: "detail-malformed", About: "orders whose detail is always malformed", scope: perOrder, side: details, loses: true, chaos: 0.01, act: wrongShape},
	{Name: "window-fails", About: "hours whose every listing is 500 InternalError", scope: perHour, side: listings, loses: true, chaos: 0.04, act: refusal(500, "InternalError")},
	{Name: "phantom", About: "hours with an order that is counted and never listed", scope: perHour, side: listings, loses: true, chaos: 0.04},

	{Name: "expired-token", About: "400 InvalidSecurityToken.Expired", side: anyCall, act: refusal(400, "InvalidSecurityToken.Expired")},
	{Name: "unknown-key", About: "404 InvalidAccessKeyId.NotFound", side: anyCall, act: exactly(Action{Error: errUnknownKey})},
	{Name: "no-permission", About: "403 NoPermission", side: anyCall, act: noPermission},
}

func exactly(a Action) func(*random, *FaultRequest) Action {
	return func(*random, *FaultRequest) Action { return a }
}

func refusal(status int, code string) func(*random, *FaultRequest) Action {
	return exactly(Action{Error: coded(status, code)})
}

// coded is an error with the vendor's message of its code.
func coded(status int, code string) *Error {
	return &Error{Status: status, Code: code, Message: messages[code]}
}

var messages = map[string]string{
	"Throttling":                   "Request was denied due to request throttling.",
	"Throttling.User":              "Request was denied due to user flow control.",
	"Throttling.Api":               "Request was denied due to api flow control.",
	"InternalError":                "The request processing has failed due to some unknown error.",
	"ServiceUnavailable":           "The request has failed due to a temporary failure of the server.",
	"InvalidParameter":             "The specified parameter OrderId is not valid.",
	"InvalidSecurityToken.Expired": "Specified SecurityToken is expired.",
}

func oneOf(acts ...func(*random, *FaultRequest) Action) func(*random, *FaultRequest) Action {
	return func(s *random, q *FaultRequest) Action { return acts[s.n(len(acts))](s, q) }
}

// throttle varies in all that the vendor's documents leave open. The SDK takes TimeLeft for milliseconds.
func throttle(s *random, _ *FaultRequest) Action {
	code := [...]string{"Throttling", "Throttling.User", "Throttling.Api"}[s.n(3)]
	a := Action{Error: coded([...]int{400, 429}[s.n(2)], code)}
	left := fmt.Sprintf("Limit:10,Remain:0,TimeLeft:%d", s.between(1, 25))
	switch s.n(4) {
	case 0:
		a.Header = http.Header{"X-Ratelimit-User-Api": {left}}
	case 1:
		a.Header = http.Header{"X-Ratelimit-User": {left}}
	case 2:
		a.Header = http.Header{"X-Acs-Retry-After": {strconv.FormatInt(s.between(1, 25), 10)}}
	}
	return a
}

func retryMillis(s *random, _ *FaultRequest) Action {
	refused := [...]*Error{errNotApplicable, errPermission("bss:DescribeOrderList"), coded(500, "InternalError")}[s.n(3)]
	return Action{Error: refused, Header: http.Header{"X-Acs-Retry-After": {strconv.FormatInt(s.between(1, 25), 10)}}}
}

var lowerCaseError = Action{
	Status: http.StatusServiceUnavailable,
	Body:   `{"code":"ServiceUnavailable","message":"The request has failed due to a temporary failure of the server.","requestId":"0"}`,
}

var retryLater = Action{Error: coded(429, "Throttling.Api"), Header: http.Header{"Retry-After": {"1"}}}

var badGateway = Action{
	Status: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/html"}},
	Body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n",
}

func truncated(s *random, _ *FaultRequest) Action {
	percent := int(s.between(1, 99))
	return Action{Rewrite: func(body []byte) []byte { return body[:1+(len(body)-1)*percent/100] }}
}

func wrongShape(s *random, q *FaultRequest) Action {
	data := [...]string{"17", `"ok"`, "[]", `{"TotalCount":1,"OrderList":17}`, `{"TotalCount":1,"OrderList":{"Order":"none"}}`}[s.n(5)]
	switch q.Version {
	case versionUniCloud:
		return Action{Status: http.StatusOK, Body: `{"TotalCount":1,"PageNum":1,"PageSize":10,"OrderList":17,"Order":` + data + `}`}
	case versionDomain:
		return Action{Status: http.StatusOK, Body: `{"RequestId":"","OrderProducts":` + data + `}`}
	}
	return Action{Status: http.StatusOK, Body: `{"Code":"Success","Message":"Successful!","Success":true,"Data":` + data + `}`}
}

// resetMidway breaks off in the envelope: every body is longer than that.
func resetMidway(s *random, _ *FaultRequest) Action {
	return Action{Reset: true, Truncate: int(s.between(1, 100))}
}

func slow(s *random, _ *FaultRequest) Action {
	return Action{Delay: time.Duration(s.between(1, 50)) * time.Millisecond}
}

func totalHigh(s *random, q *FaultRequest) Action {
	more := 1 + s.n(2*q.Size)
	return Action{Total: func(n int) int { return n + more }}
}

func totalLow(s *random, q *FaultRequest) Action {
	less := 1 + s.n(2*q.Size)
	return Action{Total: func(n int) int { return max(min(n, 1), n-less) }}
}

func noTotal(int) int { return 0 }

func totalCap(_ *random, q *FaultRequest) Action {
	const most = 100
	before := (q.Page - 1) * q.Size
	return Action{Total: func(n int) int { return min(n, most) }, Drop: func(row int) bool { return before+row >= most }}
}

func shortPage(s *random, q *FaultRequest) Action { return ShortPage(1 + s.n(max(1, q.Size/2))) }

// shiftedPage repeats a row of the page before, or leaves out one that is then on no page.
func shiftedPage(s *random, _ *FaultRequest) Action { return Action{Shift: 1 - 2*s.n(2)} }

// pageCap is 5 to 19 rows: a client that asks for the usual 20 meets it, one that asks for 5 after a time-out does not.
func pageCap(hidden bool) func(*random, *FaultRequest) Action {
	return func(s *random, q *FaultRequest) Action {
		limit := int(s.between(5, 19))
		if q.Size <= limit {
			return Action{}
		}
		return Action{PageSize: limit, PageSizeHidden: hidden}
	}
}

func noPermission(_ *random, q *FaultRequest) Action {
	action := q.API
	for i := range operations {
		if operations[i].action == q.API && operations[i].version == q.Version && operations[i].ram != "" {
			action = operations[i].ram
		}
	}
	return Action{Error: errPermission(action)}
}
