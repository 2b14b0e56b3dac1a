// Command ordersync keeps an exact, queryable copy of cloud orders in ClickHouse.
package main

import (
	"context"
	"os"

	"github.com/ordersync/ordersync/cmd/internal/cli"
	"github.com/ordersync/ordersync/sink/embedded"
)

func main() {
	// In a process that was started to be the embedded server this call never returns.
	embedded.Main()
	ctx, stop := cli.Interruptible(context.Background())
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
