package source

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// script is a client that returns these errors, one after the other, then answers.
type script struct {
	errs  []error
	calls int
}

func (s *script) next() error {
	s.calls++
	if s.calls <= len(s.errs) {
		return s.errs[s.calls-1]
	}
	return nil
}
func (s *script) List(context.Context, Query) (Page, error) { return Page{Total: 7}, s.next() }
func (s *script) Detail(context.Context, string, string) (Detail, error) {
	return Detail{Raw: "x"}, s.next()
}

func times(n int, e *Error) []error {
	out := make([]error, n)
	for i := range out {
		out[i] = e
	}
	return out
}

// list makes one call through a Caller and says how it ended, how many tries it took and how long.
func list(t *testing.T, s *script) (Page, time.Duration, error) {
	t.Helper()
	start := time.Now()
	p, err := NewCaller(s, NewBudget(100), NewBudget(100), DefaultPolicy, nil).List(t.Context(), Query{})
	return p, time.Since(start), err
}

func TestCallerRetriesByReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason Reason
		fails  int
		tries  int
		ok     bool
	}{
		{Unavailable, 3, 4, true},
		{Unavailable, 100, 6, false},
		{Malformed, 2, 3, true},
		{Unknown, 1, 2, true},
		{Throttled, 12, 13, true}, // throttles are no failures: the budget slows down
		{Timeout, 1, 2, true},
		{Timeout, 100, 2, false}, // the caller asks a smaller question
		{Auth, 100, 1, false},
		{BadRequest, 100, 1, false},
		{NotFound, 100, 1, false},
		{Cancelled, 100, 1, false},
	} {
		t.Run(string(c.reason), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{errs: times(c.fails, &Error{Reason: c.reason})}
				p, _, err := list(t, s)
				if s.calls != c.tries || (err == nil) != c.ok {
					t.Errorf("%d tries, error %v", s.calls, err)
				}
				if c.ok && p.Total != 7 {
					t.Errorf("the answer is lost: %+v", p)
				}
				if !c.ok && ReasonOf(err) != c.reason {
					t.Errorf("the error is %v", err)
				}
			})
		})
	}
}

func TestCallerSignsAnewOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: times(1, &Error{Reason: Auth, Fresh: true})}
		if _, d, err := list(t, s); err != nil || s.calls != 2 || d > time.Second {
			t.Errorf("%d calls in %s: %v", s.calls, d, err)
		}
		s = &script{errs: times(9, &Error{Reason: Auth, Fresh: true})}
		if _, _, err := list(t, s); err == nil || s.calls != 2 {
			t.Errorf("%d calls: %v", s.calls, err)
		}
	})
}

func TestCallerWaitsAsLongAsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: times(1, &Error{Reason: Unavailable, RetryAfter: 9 * time.Second})}
		if _, d, err := list(t, s); err != nil || d < 9*time.Second || d > 11*time.Second {
			t.Errorf("waited %s: %v", d, err)
		}
	})
}

func TestCallerDoesNotWaitForEachCallOfADeadVendor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: times(16, &Error{Reason: Unavailable})}
		c := NewCaller(s, NewBudget(100), NewBudget(100), DefaultPolicy, nil)
		for range 11 { // 6 tries, then one each
			_, _ = c.Detail(t.Context(), "", "1")
		}
		if s.calls != 16 {
			t.Errorf("%d calls", s.calls)
		}
		if _, err := c.Detail(t.Context(), "", "1"); err != nil {
			t.Error(err)
		}
		s.calls = 10 // down again: patient again
		if _, err := c.Detail(t.Context(), "", "1"); err == nil || s.calls != 16 {
			t.Errorf("%d calls: %v", s.calls, err)
		}
	})
}

func TestCallerStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c := NewCaller(&script{errs: times(99, &Error{Reason: Unavailable})}, NewBudget(100), NewBudget(100), DefaultPolicy, nil)
		start := time.Now()
		_, err := c.List(ctx, Query{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 60*time.Millisecond {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestCallerIsObserved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := map[string]int{}
		c := NewCaller(&script{errs: times(2, &Error{Reason: Throttled})}, NewBudget(100), NewBudget(100), DefaultPolicy,
			func(api string, r Reason, _ time.Duration) { got[api+" "+string(r)]++ })
		if _, err := c.Detail(t.Context(), "", "1"); err != nil {
			t.Fatal(err)
		}
		if got["detail throttled"] != 2 || got["detail ok"] != 1 || len(got) != 2 {
			t.Errorf("%v", got)
		}
	})
}

func TestReasonOf(t *testing.T) {
	t.Parallel()
	for want, err := range map[Reason]error{
		OK: nil, Auth: &Error{Reason: Auth}, Cancelled: context.Canceled, Timeout: context.DeadlineExceeded, Unknown: errors.New("x"),
	} {
		if got := ReasonOf(err); got != want {
			t.Errorf("%v is %s", err, got)
		}
	}
}

func TestErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	e := &Error{Vendor: "bss", API: "QueryOrders", Account: "main", Code: "NoPermission", Message: "denied", Reason: Auth,
		HTTPStatus: 403, RequestID: "R-1", Hint: "grant bss:DescribeOrderList", Err: errors.New("cause")}
	const want = "bss QueryOrders (account main): auth: NoPermission: denied: cause [HTTP 403] [request R-1]; grant bss:DescribeOrderList"
	if e.Error() != want {
		t.Errorf("%s", e)
	}
}
