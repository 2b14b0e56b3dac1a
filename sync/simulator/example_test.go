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

// A script of faults that loses one order's detail for as long as it is on.
func ExampleScript() {
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	account := simulator.NewAccount(simulator.Options{Seed: 1, Orders: 1000, From: day, To: day.AddDate(0, 0, 7)})
	id := account.IDs(day, day.AddDate(0, 0, 7))[0]
	script := simulator.NewScript(42,
		simulator.Rule{Kind: "throttle", Probability: 0.05},
		simulator.Rule{Kind: "detail-500", Orders: []string{id}},
	)
	account.SetFault(script.Fault)

	// Usually the server calls the hook.
	script.Fault(simulator.FaultRequest{API: "GetOrderDetail", OrderID: id})
	fmt.Println(script)
	fmt.Println(script.Injected(), script.Losses()[0].OrderID == id)
	script.Off()
	// Output:
	// seed 42: throttle:0.05,detail-500
	// map[detail-500:1] true
}
