package source

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A reason is found again in the text that ledger and history keep of an error, whatever else the vendor said.
func TestReasonInText(t *testing.T) {
	t.Parallel()
	for _, r := range Reasons {
		if r == OK || r == Cancelled {
			continue // nobody keeps these
		}
		for _, e := range []error{
			&Error{Vendor: "bss", API: "QueryOrders", Account: "main", Reason: r, Code: "X", Message: "unknown: auth: timeout", HTTPStatus: 503, RequestID: "1"},
			&Error{Vendor: "bss", API: "QueryOrders", Reason: r, HTTPStatus: 503},
			&Error{Vendor: "bss", API: "QueryOrders", Reason: r, Hint: "check"},
			&Error{Vendor: "bss", API: "QueryOrders", Reason: r},
			&Error{Vendor: "bss", API: "QueryOrders", Reason: r, Err: errors.New("dial")},
			&pausedError{Pause{Reason: r, Asked: time.Hour, Until: time.Now()}, "list"},
		} {
			if got := ReasonIn(fmt.Errorf("main/7: 3 windows failed, because: %w", e).Error()); got != r {
				t.Errorf("%q: %q instead of %q", e, got, r)
			}
		}
	}
	for _, text := range []string{"", "TotalCount says 5 and 4 came", "the author: unauthorized", strings.Repeat(": x", 9)} {
		if got := ReasonIn(text); got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}
