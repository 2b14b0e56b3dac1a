package stream_test

import (
	"fmt"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sync/stream"
)

func ExampleSummary_Err() {
	s := stream.Summary{Streams: []stream.Outcome{{
		Stream: schema.Stream{Account: "main"}, Windows: map[schema.Verdict]int{schema.Complete: 22, schema.Short: 2}, Pending: 1,
		Faults: []stream.Fault{{Verdict: schema.Short, Error: "TotalCount says 5 and 4 came", Windows: 2}},
	}}}
	fmt.Println(s.Err())
	fmt.Println(s.Why())
	s.Streams[0].PendingError = "the detail is refused"
	fmt.Println(s.Why())
	// Output:
	// main: 2 windows short, 1 order without items, because: TotalCount says 5 and 4 came
	// main: `ordersync rejects` shows each with its reason
	// main, one of them: the detail is refused
}
