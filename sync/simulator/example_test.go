package simulator_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/ordersync/ordersync/sync/simulator"
)

// A server of one account, as a test or the simulate verb starts it.
func Example() {
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	account := simulator.NewAccount(simulator.Options{Seed: 1, Orders: 1000, From: day, To: day.AddDate(0, 0, 7)})
	server := simulator.New(account)
	if err := server.Start(":0"); err != nil {
		panic(err)
	}
	defer server.Close()
	fmt.Println(strings.HasPrefix(server.URL(), "http://127.0.0.1:"), account.AccessKeyID(), account.AccessKeySecret())

	// Every third detail is answered with an empty page, and nothing else.
	account.SetFault(func(q simulator.FaultRequest) simulator.Action {
		if q.API == "GetOrderDetail" && q.Number%3 == 0 {
			return simulator.EmptyPage()
		}
		return simulator.Action{}
	})
	truth := account.Truth(day, day.Add(24*time.Hour))
	fmt.Println(truth.Orders == len(account.IDs(day, day.Add(24*time.Hour))), account.Truth(time.Time{}, time.Time{}).Orders)
	// Output:
	// true testid testsecret
	// true 1000
}
