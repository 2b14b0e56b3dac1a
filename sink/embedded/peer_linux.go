package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// peer reports an error unless whoever listens at the other end of a connection to an embedded server is this user. While a
// server is being started again its port is anybody's, and the native protocol begins with the password. The error counts as
// a refused connection.
func peer(conn net.Conn) error {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || remote.IP.To4() == nil {
		return nil // no embedded server's
	}
	sockets, err := os.ReadFile("/proc/net/tcp")
	if err != nil || listensAlone(sockets, remote, os.Geteuid()) {
		return nil // without the kernel's word there is none
	}
	return fmt.Errorf("somebody else listens at %s: %w", remote, syscall.ECONNREFUSED)
}

// listensAlone reports whether a user, and no other, has sockets at an address of the kernel's list, one of which listens. The list
// is searched and not split: on a busy machine it has thousands of connections that have ended, and each connection asks.
func listensAlone(sockets []byte, at *net.TCPAddr, user int) bool {
	const listens = "0A"
	local := fmt.Appendf(nil, ": %08X:%04X ", binary.NativeEndian.Uint32(at.IP.To4()), at.Port) // no remote address has a colon before it
	listening := false
	for {
		i := bytes.Index(sockets, local)
		if i < 0 {
			return listening
		}
		var line []byte
		line, sockets, _ = bytes.Cut(sockets[i+len(local):], []byte("\n"))
		fields := bytes.Fields(line) // from the remote address on
		if len(fields) < 6 {
			continue
		}
		switch state, uid := string(fields[1]), string(fields[5]); {
		case uid == strconv.Itoa(user):
			listening = listening || state == listens
		case state != listens && (uid == "0" || uid == "65534"):
			// Nobody's: it is closed, or was not accepted yet. In a user namespace without root that is the overflow user.
		default:
			return false
		}
	}
}
