package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// probe is one call over the wire and what came of it.
type probe struct {
	list   bool
	page   int
	order  string
	status int
	header http.Header
	body   []byte
	err    error
}

var requestIDs = regexp.MustCompile(`"RequestId":"[^"]*"`)

// probes asks for three full pages of a listing and for a few details, each within the time that the client has.
func probes(t *testing.T, s *Server, a *Account, details int, patience time.Duration) (all []probe) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(p probe, action string, args url.Values) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		p.status, p.header, p.body, p.err = fetchWith(c, signed(a, s.URL(), action, args).WithContext(ctx))
		p.body = requestIDs.ReplaceAll(p.body, []byte(`"RequestId":""`))
		all = append(all, p)
	}
	for page := 1; page < 4; page++ {
		args := wholeRange(a)
		args["PageNum"] = []string{fmt.Sprint(page)}
		ask(probe{list: true, page: page}, "QueryOrders", args)
	}
	for _, id := range a.IDs(time.Time{}, time.Time{})[:details] {
		ask(probe{order: id}, "GetOrderDetail", url.Values{"OrderId": {id}})
	}
	return all
}

func (p *probe) reply() *reply {
	r := &reply{}
	d := json.NewDecoder(bytes.NewReader(p.body))
	d.UseNumber()
	if d.Decode(r) != nil {
		return nil
	}
	return r
}

// rows are the raw rows or lines of an answer.
func (p *probe) rows() (rows []string) {
	var r struct {
		Data struct {
			OrderList *struct{ Order []json.RawMessage }
		}
	}
	if json.Unmarshal(p.body, &r) != nil || r.Data.OrderList == nil {
		return nil
	}
	for _, row := range r.Data.OrderList.Order {
		rows = append(rows, string(row))
	}
	return rows
}

func (p *probe) is(status int, code string) bool {
	r := p.reply()
	return p.err == nil && p.status == status && r != nil && r.Code == code && !r.Success &&
		bytes.Contains(p.body, []byte(`"Success":false`)) == (status == 200)
}

// check says whether a probe shows the fault; sound is the same without it.
type check func(p, sound probe) bool

func isRefusal(status int, code string) check {
	return func(p, _ probe) bool { return p.is(status, code) }
}

// total checks TotalCount, and that nothing else differs.
func total(ok func(n int) bool) check {
	return func(p, sound probe) bool {
		r := p.reply()
		same := bytes.Replace(p.body, fmt.Appendf(nil, `"TotalCount":%d`, r.Data.TotalCount), []byte(`"TotalCount":120`), 1)
		return r.Success && ok(r.Data.TotalCount) && bytes.Equal(same, sound.body)
	}
}

// eachRow checks every row against the sound one.
func eachRow(ok func(row, sound string) bool) check {
	return func(p, sound probe) bool {
		rows, before := p.rows(), sound.rows()
		if len(rows) == 0 || len(rows) != len(before) || p.status != 200 {
			return false
		}
		for i := range rows {
			if !ok(rows[i], before[i]) {
				return false
			}
		}
		return true
	}
}

// without checks that a field is not what it was: the row has the text instead, or lacks the field.
func without(key, instead string) check {
	return eachRow(func(row, sound string) bool {
		var m map[string]any
		if json.Unmarshal([]byte(row), &m) != nil {
			return false
		}
		_, has := m[key]
		return has == (instead != "") && strings.Contains(row, instead) && row != sound
	})
}

func differs(row, sound string) bool { return row != sound && json.Valid([]byte(row)) }

func isNumber(row, _ string) bool {
	return regexp.MustCompile(`^2\d{14}$`).MatchString(row)
}

func capped(said bool) check {
	return func(p, sound probe) bool {
		r := p.reply()
		n := len(p.rows())
		return n >= 5 && n < 20 && (r.Data.PageSize == n) == said && (said || r.Data.PageSize == 20) &&
			(p.page > 1 || slices.Equal(p.rows(), sound.rows()[:n]))
	}
}

var checks = map[string]check{
	"throttle": func(p, _ probe) bool {
		return strings.HasPrefix(p.reply().Code, "Throttling") && (p.status == 400 || p.status == 429)
	},
	"retry-after": func(p, _ probe) bool { return p.is(429, "Throttling.Api") && p.header.Get("Retry-After") == "1" },
	"throttle200": isRefusal(200, "Throttling.User"), "error200": isRefusal(200, "InternalError"),
	"internal-error": isRefusal(500, "InternalError"), "unavailable": isRefusal(503, "ServiceUnavailable"),
	"html502": func(p, _ probe) bool {
		return p.status == 502 && p.header.Get("Content-Type") == "text/html" && bytes.Contains(p.body, []byte("<html>"))
	},
	"truncated": func(p, sound probe) bool {
		return p.status == 200 && p.err == nil && !json.Valid(p.body) && len(p.body) > 0 && len(p.body) < len(sound.body)
	},
	"empty200":    func(p, _ probe) bool { return p.status == 200 && p.err == nil && len(p.body) == 0 },
	"wrong-shape": func(p, _ probe) bool { return p.status == 200 && json.Valid(p.body) && len(p.rows()) == 0 },
	"reset":       func(p, _ probe) bool { return p.err != nil && p.status == 0 },
	"reset-midway": func(p, _ probe) bool {
		return p.err != nil && p.status == 200
	},
	"hang": func(p, _ probe) bool { return p.err != nil && p.status == 0 },
	"slow": func(p, sound probe) bool { return bytes.Equal(p.body, sound.body) },
	"drip": func(p, sound probe) bool { return bytes.Equal(p.body, sound.body) },

	"wrong-total": total(func(n int) bool { return n != 120 }), "total-high": total(func(n int) bool { return n > 120 }),
	"total-low": total(func(n int) bool { return n < 120 && n > 0 }), "total-zero": total(func(n int) bool { return n == 0 }),
	"lists-nothing": func(p, _ probe) bool { return p.reply().Data.TotalCount == 0 && len(p.rows()) == 0 },
	"total-cap":     total(func(n int) bool { return n == 100 }),
	"empty-page":    func(p, _ probe) bool { return p.reply().Data.TotalCount == 120 && len(p.rows()) == 0 },
	"short-page": func(p, sound probe) bool {
		n := len(p.rows())
		return p.reply().Data.TotalCount == 120 && n > 0 && n < 20 && slices.Equal(p.rows(), sound.rows()[:n])
	},
	"shifted-page": func(p, sound probe) bool {
		rows, before := p.rows(), sound.rows()
		return len(rows) == 20 && (p.page == 1 && slices.Equal(rows, before) ||
			p.page > 1 && (slices.Equal(rows[1:], before[:19]) || slices.Equal(rows[:19], before[1:])))
	},
	"page-cap": capped(true), "page-cap-silent": capped(false),

	"unknown-fields": eachRow(func(row, sound string) bool {
		return strings.HasPrefix(row, sound[:len(sound)-1]+`,"DiscountPlan":{`) && json.Valid([]byte(row))
	}),
	"unknown-values": without("OrderType", `"OrderType":"Metamorphosis"`),
	"unknown-status": without("PaymentStatus", `"PaymentStatus":"PartiallyPaid"`),

	"bad-row": eachRow(differs), "bad-amount": without("PretaxAmount", `"PretaxAmount":"12,34.5x"`),
	"long-amount": without("PretaxGrossAmount", `"1234567890123456789012345678901234567890.12"`),
	"no-order-id": without("OrderId", ""), "no-create-time": without("CreateTime", ""),
	"bad-create-time": without("CreateTime", `"CreateTime":"`), "row-is-number": eachRow(isNumber),
	"bad-line": func(p, sound probe) bool {
		rows, before := p.rows(), sound.rows()
		return len(rows) == len(before) && differs(rows[0], before[0]) && slices.Equal(rows[1:], before[1:])
	},
	"detail-500": isRefusal(500, "InternalError"), "detail-400": isRefusal(400, "InvalidParameter"),
	"detail-malformed": func(p, _ probe) bool { return p.status == 200 && json.Valid(p.body) && len(p.rows()) == 0 },
	"window-fails":     isRefusal(500, "InternalError"),
	"phantom":          total(func(n int) bool { return n == 120+20*24 }),

	"acs-retry-after": func(p, _ probe) bool {
		return p.status >= 400 && regexp.MustCompile(`^[1-9]\d?$`).MatchString(p.header.Get("X-Acs-Retry-After"))
	},
	"lower-case-error": func(p, _ probe) bool {
		return p.status == 503 && bytes.HasPrefix(p.body, []byte(`{"code":"ServiceUnavailable"`))
	},
	"binary-dust": eachRow(func(row, sound string) bool {
		return row == sound || regexp.MustCompile(`"PretaxAmount":-?[0-9.]{15,}(e-\d+)?,`).MatchString(row)
	}),
	"instance-array": eachRow(func(row, _ string) bool { return strings.Contains(row, `"InstanceIDs":[`) }),

	"expired-token": isRefusal(400, "InvalidSecurityToken.Expired"), "unknown-key": isRefusal(404, "InvalidAccessKeyId.NotFound"),
	"no-permission": isRefusal(403, "NoPermission"),
}

// Every kind shows over the wire what it says, to the calls that it is about and to no other, and nothing stays of it
// once it is off.
func TestKinds(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			a := testAccount(120)
			s := start(t, a)
			n, patience := 5, time.Minute
			if k.Name == "hang" {
				n, patience = 1, 20*time.Millisecond
			}
			before := probes(t, s, a, n, time.Minute)
			script := NewScript(11, Rule{Kind: k.Name})
			a.SetFault(script.Fault)
			shown := 0
			for i, p := range probes(t, s, a, n, patience) {
				meant := k.side&listings != 0 && p.list || k.side&details != 0 && !p.list
				switch {
				case meant && !checks[k.Name](p, before[i]):
					t.Errorf("page %d, order %s: %d %v\n%.700s", p.page, p.order, p.status, p.err, p.body)
				case !meant && (p.err != nil || !bytes.Equal(p.body, before[i].body)):
					t.Errorf("page %d, order %s met what is not for it: %v\n%.300s", p.page, p.order, p.err, p.body)
				case meant:
					shown++
				}
				if meant && k.loses && len(k.lost(script, p, before[i])) == 0 {
					t.Errorf("page %d, order %s: the loss was not noted: %v", p.page, p.order, script.Losses())
				}
			}
			if got := script.Injected()[k.Name]; got < shown || len(script.Injected()) != 1 {
				t.Errorf("counted %v, seen %d times", script.Injected(), shown)
			}
			if !k.loses && len(script.Losses()) > 0 {
				t.Errorf("lost %v", script.Losses())
			}
			script.Off()
			for i, p := range probes(t, s, a, n, time.Minute) {
				if p.err != nil || !bytes.Equal(p.body, before[i].body) {
					t.Errorf("page %d, order %s is not sound after the script is off: %v", p.page, p.order, p.err)
				}
			}
		})
	}
	if len(checks) != len(kinds) {
		t.Errorf("%d checks for %d kinds", len(checks), len(kinds))
	}
}

// lost finds the loss that a probe should have left behind.
func (k *Kind) lost(s *Script, p, sound probe) []Loss {
	return slices.DeleteFunc(s.Losses(), func(l Loss) bool {
		switch {
		case k.scope == perHour:
			return l.OrderID != "" || l.At.Before(day)
		case !p.list && k.alter == nil:
			return l.OrderID != p.order || l.Sent != ""
		case !p.list:
			return l.OrderID != p.order || l.Sent != p.rows()[0]
		}
		row := sound.rows()[7]
		return !strings.Contains(row, `{"OrderId":"`+l.OrderID+`"`) || l.Sent != p.rows()[7]
	})
}

// The throttles come in all six forms, with and without the headers.
func TestThrottleVaries(t *testing.T) {
	seen := map[string]int{}
	script := NewScript(1, Rule{Kind: "throttle"})
	for i := range 200 {
		act := script.Fault(FaultRequest{API: "GetOrderDetail", OrderID: fmt.Sprint(i)})
		seen[fmt.Sprintf("%d %s", act.Error.Status, act.Error.Code)]++
		for name, v := range act.Header {
			seen[name]++
			if !regexp.MustCompile(`^Limit:10,Remain:0,TimeLeft:\d+$|^\d+$`).MatchString(v[0]) {
				t.Errorf("%s: %s", name, v)
			}
		}
	}
	for _, want := range []string{
		"400 Throttling", "429 Throttling", "400 Throttling.User", "429 Throttling.User", "400 Throttling.Api", "429 Throttling.Api",
		"X-Ratelimit-User-Api", "X-Ratelimit-User", "X-Acs-Retry-After",
	} {
		if seen[want] == 0 {
			t.Errorf("%s never came: %v", want, seen)
		}
	}
	if len(seen) != 9 {
		t.Errorf("%v", seen)
	}
}

// A phantom is in the listings that ask about its second, and in no other.
func TestPhantomIsInOneSecond(t *testing.T) {
	a := testAccount(200)
	s := New(a)
	script := NewScript(3, Rule{Kind: "phantom", From: day.Add(9 * time.Hour), To: day.Add(10 * time.Hour)})
	a.SetFault(script.Fault)
	counted := func(from, to time.Time, args ...string) bool {
		r := callAPI(t, s, a, "QueryOrders", append([]string{"CreateTimeStart", stamp(from), "CreateTimeEnd", stamp(to)}, args...)...)
		return r.Data.TotalCount != a.Truth(from, to.Add(time.Second)).Orders
	}
	if !counted(day, day.AddDate(0, 0, 20)) || counted(day, day.Add(9*time.Hour+time.Second)) || counted(day.Add(10*time.Hour-time.Second), day.Add(20*time.Hour)) {
		t.Error("the phantom is not in its hour")
	}
	from, to := day.Add(9*time.Hour), day.Add(10*time.Hour)
	for to.Sub(from) > time.Second {
		middle := from.Add(to.Sub(from) / 2).Truncate(time.Second)
		if counted(from, middle.Add(-time.Second)) {
			to = middle
		} else {
			from = middle
		}
	}
	if !counted(from, from) {
		t.Error("halving does not find the phantom")
	}
	if r := callAPI(t, s, a, "QueryOrders", "CreateTimeStart", stamp(from), "CreateTimeEnd", stamp(from), "PaymentStatus", "Nothing"); r.Data.TotalCount != 0 {
		t.Error("the phantom has a status")
	}
	if l := script.Losses(); len(l) != 1 || !l[0].At.Equal(from) {
		t.Errorf("%v", l)
	}
}
