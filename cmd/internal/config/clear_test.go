package config

import (
	"os"
	"testing"
)

func TestInTheClear(t *testing.T) {
	t.Parallel()
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for endpoint, warns := range map[string]bool{
		"": false, "https://business.aliyuncs.com": false, "http://127.0.0.1:8080": false, "http://localhost": false, "http://LocalHost.:1": false,
		"http://[::1]:80": false, "http://" + own: false,
		"http://business.aliyuncs.com": true, "http://10.0.0.250:8080": true, "http://localhost.example.com": true, "http://[2001:db8::1]": true,
		"http://127.0.0.1.example.com": true,
	} {
		a := NewAccount("main", SourceBSS)
		a.Endpoint = endpoint
		if got := a.InTheClear(); (len(got) == 1) != warns {
			t.Errorf("%s: %q", endpoint, got)
		}
		a.Endpoint, a.Credentials.CredentialsURI = "", Secret(endpoint)
		if got := a.InTheClear(); (len(got) == 1) != warns {
			t.Errorf("credentials_uri %s: %q", endpoint, got)
		}
		if got := (&Notify{URL: Secret(endpoint)}).InTheClear(); (len(got) == 1) != warns {
			t.Errorf("notify.url %s: %q", endpoint, got)
		}
		if got := (&ClickHouse{Addr: []string{"127.0.0.1:9000"}, HTTP: endpoint}).InTheClear(); (len(got) == 1) != warns {
			t.Errorf("clickhouse.http %s: %q", endpoint, got)
		}
	}
}

func TestClickHouseInTheClear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ClickHouse
		warns bool
	}{
		{ClickHouse{Embedded: "data"}, false},
		{ClickHouse{Addr: []string{"127.0.0.1:9000", "[::1]:9000", "localhost:9000"}}, false},
		{ClickHouse{Addr: []string{"127.0.0.1:9000", "clickhouse:9000"}}, true},
		{ClickHouse{Addr: []string{"10.0.0.250:9000"}}, true},
		{ClickHouse{Addr: []string{"clickhouse:9440"}, Secure: true}, false},
	} {
		if got := c.InTheClear(); (len(got) == 1) != c.warns {
			t.Errorf("%+v: %q", c.ClickHouse, got)
		}
	}
}
