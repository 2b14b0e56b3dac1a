package simulator

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// An hour of 5,000 orders can be read in both directions under each of the four rules about its ends.
func TestBusyHour(t *testing.T) {
	for _, oldest := range []bool{false, true} {
		for boundary := BothIncluded; boundary <= NeitherIncluded; boundary++ {
			a := testAccount(6000, func(o *Options) { o.BusyHour, o.OldestFirst, o.Boundary = 5000, oldest, boundary })
			s := New(a)
			var busy time.Time
			for h := day; h.Before(a.o.To); h = h.Add(time.Hour) {
				if a.Truth(h, h.Add(time.Hour)).Orders >= 5000 {
					busy = h
				}
			}
			if busy.IsZero() {
				t.Fatal("there is no busy hour")
			}
			var got []string
			var body struct {
				Data struct {
					TotalCount int
					OrderList  struct{ Order []struct{ OrderId string } }
				}
			}
			for page := 1; ; page++ {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, signed(a, "", "QueryOrders", map[string][]string{
					"CreateTimeStart": {stamp(busy.Add(-time.Second))}, "CreateTimeEnd": {stamp(busy.Add(time.Hour))},
					"PageNum": {fmt.Sprint(page)}, "PageSize": {"300"},
				}))
				body.Data.OrderList.Order = nil
				if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
					t.Fatal(err)
				}
				for _, o := range body.Data.OrderList.Order {
					got = append(got, o.OrderId)
				}
				if page*300 >= body.Data.TotalCount {
					break
				}
			}
			// The range is a second wider than the hour, so the rules about its ends decide about the neighbours alone.
			from, to := busy.Add(-time.Second), busy.Add(time.Hour+time.Second)
			if boundary == EndIncluded || boundary == NeitherIncluded {
				from = busy
			}
			if boundary == StartIncluded || boundary == NeitherIncluded {
				to = busy.Add(time.Hour)
			}
			want := a.IDs(from, to)
			if !oldest {
				slices.Reverse(want)
			}
			if !slices.Equal(got, want) || len(got) < 5000 {
				t.Errorf("oldest first %v, boundary %d: %d orders, want %d", oldest, boundary, len(got), len(want))
			}
		}
	}
}
