package cli

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// healthcheck asks the daemon of the same configuration whether it lives. It is for the image, which has no other program
// that could.
func (p *program) healthcheck() *cobra.Command {
	return &cobra.Command{
		Use:    "healthcheck",
		Short:  "Ask the daemon on http.listen whether it lives",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.loadOffline()
			if err != nil {
				return err
			}
			host, port, err := net.SplitHostPort(cfg.HTTP.Listen)
			if err != nil {
				return err
			}
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
			if err != nil {
				return err
			}
			client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Do(req)
			if err != nil {
				return fmt.Errorf("the daemon does not answer: %w", err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("the daemon answers %s", resp.Status)
			}
			return nil
		},
	}
}
