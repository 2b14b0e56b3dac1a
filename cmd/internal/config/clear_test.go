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
	}
}
