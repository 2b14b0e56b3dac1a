package embedded

import (
	"net"
	"os"
	"strings"
	"testing"
)

// A password goes to a server of ours, and to nobody who has taken its port.
func TestPeer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", loopback+":0")
	check(t, err)
	defer l.Close()
	conn, err := Dial(t.Context(), "tcp", l.Addr().String())
	check(t, err)
	defer conn.Close()
	sockets, err := os.ReadFile("/proc/net/tcp")
	check(t, err)
	alone := func(sockets string, at *net.TCPAddr, user int) bool {
		t.Helper()
		alone, err := listensAlone(strings.NewReader(sockets), at, user)
		check(t, err)
		return alone
	}
	if at := l.Addr().(*net.TCPAddr); !alone(string(sockets), at, os.Geteuid()) || alone(string(sockets), at, os.Geteuid()+1) {
		t.Errorf("whose socket it is is not read from\n%s", sockets)
	}
	check(t, l.Close())
	wantError(t, peer(conn), "somebody else listens")

	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	line := func(at, state, uid string) string {
		return "   0: " + at + " 0100007F:8000 " + state + " 00000000:00000000 00:00000000 00000000  " + uid + "        0 1 1 0 100 0 0 10 0\n"
	}
	at := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9000}
	for name, c := range map[string]struct {
		sockets string
		want    bool
	}{
		"nobody":                          {head, false},
		"ours":                            {head + line("0100007F:2328", "0A", "1000"), true},
		"ours, with connections":          {line("0100007F:2328", "0A", "1000") + line("0100007F:2328", "01", "1000") + line("0100007F:2328", "06", "0") + line("0100007F:2328", "01", "65534"), true},
		"somebody's":                      {line("0100007F:2328", "0A", "1001"), false},
		"root's":                          {line("0100007F:2328", "0A", "0"), false},
		"ours again, after somebody took": {line("0100007F:2328", "0A", "1000") + line("0100007F:2328", "01", "1001"), false},
		"ours, at another port":           {line("0100007F:2329", "0A", "1000"), false},
		"somebody's, at all addresses":    {line("00000000:2328", "0A", "1001"), false},
		"only a connection":               {line("0100007F:2328", "01", "1000"), false},
		"cut off":                         {strings.TrimSuffix(line("0100007F:2328", "0A", "1000")[:40], "\n"), false},
	} {
		if got := alone(c.sockets, at, 1000); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
