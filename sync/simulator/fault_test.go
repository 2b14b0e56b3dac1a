package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty serves an account whose every call meets the action.
func faulty(t *testing.T, act Action) (*Server, *Account) {
	a := testAccount(60)
	a.SetFault(func(FaultRequest) Action { return act })
	return start(t, a), a
}

func wholeRange(a *Account) map[string][]string {
	return map[string][]string{"CreateTimeStart": {stamp(a.o.From)}, "CreateTimeEnd": {stamp(a.o.To)}}
}

func TestFaultSeesTheCall(t *testing.T) {
	a := testAccount(60, func(o *Options) { o.Quota.List = 3 })
	s := New(a)
	var seen []FaultRequest
	a.SetFault(func(q FaultRequest) Action { seen = append(seen, q); return Action{} })
	callAPI(t, s, a, "QueryOrders", "CreateTimeStart", stamp(day), "CreateTimeEnd", stamp(day.Add(time.Hour)), "PageNum", "2", "PageSize", "30", "PaymentStatus", "Paid")
	callAPI(t, s, a, "GetOrderDetail", "OrderId", "12")
	callAPI(t, s, a, "QueryOrders", "PageNum", "x") // refused before
	callAPI(t, s, a, "QueryOrders")
	callAPI(t, s, a, "QueryOrders") // over the quota
	a.SetFault(nil)
	callAPI(t, s, a, "GetOrderDetail", "OrderId", "12")
	if len(seen) != 3 {
		t.Fatalf("the fault saw %d calls, want 3", len(seen))
	}
	if want := (FaultRequest{
		API: "QueryOrders", Version: "2017-12-14", Account: "testid", Number: 1,
		Page: 2, Size: 30, Start: day, End: day.Add(time.Hour), PaymentStatus: "Paid",
	}); seen[0] != want {
		t.Errorf("listing: %+v", seen[0])
	}
	if seen[1].OrderID != "12" || seen[1].API != "GetOrderDetail" || seen[1].Number != 1 || seen[2].Number != 3 {
		t.Errorf("detail and second listing: %+v", seen[1:])
	}
	if c := a.Calls()["QueryOrders"]; c.Faulted != 0 || c.OK != 2 || c.Failed != 1 || c.Throttled != 1 {
		t.Errorf("calls: %+v", c)
	}
}

// Faults that answer, in a table: each is one primitive.
func TestFaultAnswers(t *testing.T) {
	sound, _, body, err := func() (int, http.Header, []byte, error) {
		s, a := faulty(t, Action{})
		return fetch(signed(a, s.URL(), "QueryOrders", wholeRange(a)))
	}()
	if err != nil || sound != 200 {
		t.Fatal(sound, err)
	}
	for name, c := range map[string]struct {
		action Action
		status int
		check  func(http.Header, []byte) bool
	}{
		"vendor error": {Action{Error: &Error{Status: 503, Code: "ServiceUnavailable", Message: "busy"}}, 503, func(_ http.Header, b []byte) bool {
			return strings.Contains(string(b), `"Code":"ServiceUnavailable"`) && strings.Contains(string(b), `"HostId"`)
		}},
		"failure with 200": {Action{Error: &Error{Status: 200, Code: "InternalError", Message: "sorry"}}, 200, func(_ http.Header, b []byte) bool {
			return strings.Contains(string(b), `"Success":false`) && json.Valid(b)
		}},
		"status and body": {Action{Status: 502, Body: "<html>Bad Gateway</html>", Header: http.Header{"Content-Type": {"text/html"}}}, 502, func(h http.Header, b []byte) bool {
			return string(b) == "<html>Bad Gateway</html>" && h.Get("Content-Type") == "text/html"
		}},
		"empty body": {Action{Status: 200}, 200, func(_ http.Header, b []byte) bool { return len(b) == 0 }},
		"total": {Action{Total: func(n int) int { return n + 7 }}, 200, func(h http.Header, b []byte) bool {
			r := decode(t, 200, h, b)
			return r.Data.TotalCount == 67 && len(r.rows()) == 20
		}},
		"empty page": {EmptyPage(), 200, func(h http.Header, b []byte) bool {
			r := decode(t, 200, h, b)
			return r.Data.TotalCount == 60 && len(r.rows()) == 0
		}},
		"short page": {ShortPage(13), 200, func(h http.Header, b []byte) bool {
			r := decode(t, 200, h, b)
			return r.Data.TotalCount == 60 && len(r.rows()) == 13
		}},
		"one row gone": {Action{Drop: func(i int) bool { return i == 0 }}, 200, func(h http.Header, b []byte) bool {
			return len(decode(t, 200, h, b).rows()) == 19
		}},
		"rewritten": {Action{Rewrite: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("OrderId"), []byte("OrderID")) }}, 200, func(h http.Header, b []byte) bool {
			return decode(t, 200, h, b).rows()[3]["OrderID"] != nil
		}},
		"truncated": {Action{Truncate: 500}, 200, func(_ http.Header, b []byte) bool {
			return len(b) == 500 && !json.Valid(b) && bytes.Equal(b[100:], body[100:500])
		}},
		"drip": {Action{Drip: Drip{Bytes: 2000, Every: time.Millisecond}}, 200, func(_ http.Header, b []byte) bool {
			return len(b) == len(body) && json.Valid(b)
		}},
		"delay": {Action{Delay: time.Millisecond}, 200, func(_ http.Header, b []byte) bool { return len(b) == len(body) }},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := faulty(t, c.action)
			status, header, b, err := fetch(signed(a, s.URL(), "QueryOrders", wholeRange(a)))
			if err != nil || status != c.status || !c.check(header, b) {
				t.Errorf("%d %v %v\n%.600s", status, err, header, b)
			}
			if n := a.Calls()["QueryOrders"]; n.Faulted != 1 || n.Total != 1 {
				t.Errorf("calls: %+v", n)
			}
		})
	}
}

func TestFaultReset(t *testing.T) {
	for name, act := range map[string]Action{
		"at once":   {Reset: true},
		"midway":    {Reset: true, Truncate: 700},
		"with 503":  {Reset: true, Status: 503},
		"of errors": {Reset: true, Error: &Error{Status: 500, Code: "InternalError"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, a := faulty(t, act)
			status, _, body, err := fetch(signed(a, s.URL(), "QueryOrders", wholeRange(a)))
			if err == nil {
				t.Fatalf("got %d and %d bytes without an error", status, len(body))
			}
			if act.Truncate > 0 && status != 200 {
				t.Errorf("the connection broke before the answer: %v", err)
			}
			if act.Truncate == 0 && status != 0 {
				t.Errorf("an answer came first: %d", status)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if c := a.Calls()["QueryOrders"]; c.OK != 0 || c.Failed != 1 {
				t.Errorf("calls: %+v", c)
			}
		})
	}
	// Without a connection to break, the request is aborted.
	a := testAccount(10)
	a.SetFault(func(FaultRequest) Action { return Action{Reset: true} })
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the recorder got an answer")
		}
	}()
	callAPI(t, New(a), a, "QueryOrders")
}

func TestFaultHang(t *testing.T) {
	for name, act := range map[string]Action{
		"hang": {Hang: true}, "delay": {Delay: time.Hour}, "drip": {Drip: Drip{Every: time.Hour}},
	} {
		t.Run(name+" until the client goes", func(t *testing.T) {
			s, a := faulty(t, act)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, _, _, err := fetch(signed(a, s.URL(), "QueryOrders", wholeRange(a)).WithContext(ctx))
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
		t.Run(name+" until the server closes", func(t *testing.T) {
			s, a := faulty(t, act)
			arrived := make(chan struct{})
			a.SetFault(func(FaultRequest) Action { close(arrived); return act })
			answer := make(chan error)
			go func() {
				_, _, _, err := fetch(signed(a, s.URL(), "QueryOrders", wholeRange(a)))
				answer <- err
			}()
			<-arrived
			s.Close()
			if c := a.Calls()["QueryOrders"]; c.OK+c.Failed != 1 { // Close waits for the calls in hand
				t.Errorf("calls: %+v", c)
			}
			if err := <-answer; err == nil {
				t.Error("got an answer")
			}
		})
	}
}

// A server can be closed and started again, as a vendor's outage.
func TestRestart(t *testing.T) {
	a := testAccount(10)
	s := New(a)
	for range 3 {
		if err := s.Start("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if s.Start(":0") == nil {
			t.Error("a server was started twice")
		}
		if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
			t.Errorf("URL %q", s.URL())
		}
		if status, _, body, err := fetch(signed(a, s.URL(), "QueryOrders", nil)); err != nil || status != 200 {
			t.Errorf("%d %s %v", status, body, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, _, _, err := fetch(signed(a, s.URL(), "QueryOrders", nil)); err == nil {
			t.Error("a closed server answers")
		}
	}
	if s.Start("nonsense") == nil {
		t.Error("started on nonsense")
	}
}
