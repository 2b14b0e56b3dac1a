package bss

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ordersync/ordersync/sync/source/internal/vendortest"
)

// The whole way with a provider of credentials-go that renews its keys, by many goroutines.
func TestCredentialsURI(t *testing.T) {
	t.Parallel()
	var asked, called atomic.Int32
	keys := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = fmt.Fprintf(w, `{"Code":"Success","AccessKeyId":"STS.id","AccessKeySecret":"s3","SecurityToken":"t0ken","Expiration":%q}`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	})
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		called.Add(1)
		if r.Header.Get("X-Acs-Security-Token") != "t0ken" || r.Header.Get("X-Acs-Accesskey-Id") != "STS.id" {
			t.Errorf("%v", r.Header)
		}
		seen(t, r, "s3")
		vendortest.Say(200, emptyPage)(w, r)
	})
	c := client(t, endpoint, func(o *Options) { o.Credentials = Credentials{URI: keys} })
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				if _, err := c.List(t.Context(), testQuery); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if asked.Load() != 1 || called.Load() != 160 {
		t.Errorf("asked %d times for keys in %d calls", asked.Load(), called.Load())
	}
}

func TestDefaultChainReadsTheEnvironment(t *testing.T) {
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", testKey)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", testSecret)
	endpoint := vendortest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen(t, r, testSecret)
		vendortest.Say(200, emptyPage)(w, r)
	})
	c := client(t, endpoint, func(o *Options) { o.Credentials = Credentials{} })
	if _, err := c.List(t.Context(), testQuery); err != nil {
		t.Error(err)
	}
}
