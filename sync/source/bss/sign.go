package bss

import (
	"context"
	"net/http"
	"net/url"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"

	"github.com/ordersync/ordersync/sync/source/wire"
)

// userAgent is the vendor's SDK's, and our name.
var userAgent = *openapiutil.GetUserAgent(dara.String("ordersync"))

// sign is an Options.Sign.
func (c *Client) sign(ctx context.Context, base url.URL, action string, args []wire.Arg, key wire.Key) *http.Request {
	version := c.version
	if action == productList || action == cancelOrder {
		version = Version2017
	}
	return wire.ACS3(ctx, base, version, action, userAgent, args, key)
}
