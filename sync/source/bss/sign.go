package bss

import (
	"context"
	"net/http"
	"net/url"

	"github.com/ordersync/ordersync/sync/source/internal/wire"
	"github.com/ordersync/ordersync/sync/source/keys"
)

// sign is an Options.Sign.
func (c *Client) sign(ctx context.Context, base url.URL, action string, args []wire.Arg, key keys.Key) *http.Request {
	version := c.version
	if action == productList || action == cancelOrder {
		version = Version2017
	}
	return wire.ACS3(ctx, base, version, action, args, key)
}
