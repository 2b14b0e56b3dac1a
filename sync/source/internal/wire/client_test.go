package wire

import (
	"net/http"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
	"go.uber.org/goleak"

	"github.com/ordersync/ordersync/sync/source"
	"github.com/ordersync/ordersync/sync/source/keys"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "LTAItestkeyid0001"
	testSecret = "testsecret-0123456789"
)

var testSigner = V1{Method: http.MethodGet, Format: "json", Version: "2020-01-01", SignatureVersion: "1.0"}

// client makes a client of a vendor whose envelope is flat.
func client(t testing.TB, endpoint string) *Client {
	t.Helper()
	c, err := New(Options{
		Options: source.Options{Account: "main", Endpoint: endpoint}, Vendor: "test", Permission: HintPermission,
		Credentials: keys.Credentials{AccessKeyID: testKey, AccessKeySecret: testSecret}, Codes: GatewayCodes, Sign: testSigner.Request,
		Parse: func(body string) (Envelope, error) {
			err := Object(body)
			code := gjson.Get(body, "Code").String()
			return Envelope{Code: code, Failed: code != "", Data: gjson.Parse(body)}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestNextVersion(t *testing.T) {
	t.Parallel()
	var seen sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			last := uint64(0)
			for range 1000 {
				v := nextVersion()
				if _, twice := seen.LoadOrStore(v, true); twice || v <= last {
					t.Errorf("%d after %d, twice %v", v, last, twice)
				}
				last = v
			}
		})
	}
	wg.Wait()
}
