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

// listensAlone reports whether a user, and no other, has sockets at an address of the kernel's list, one of which listens.
func listensAlone(sockets []byte, at *net.TCPAddr, user int) bool {
	const listens = "0A"
	local := fmt.Appendf(nil, "%08X:%04X", binary.NativeEndian.Uint32(at.IP.To4()), at.Port)
	listening := false
	for line := range bytes.Lines(sockets) {
		fields := bytes.Fields(line)
		if len(fields) < 8 || !bytes.Equal(fields[1], local) {
			continue
		}
		switch state, uid := string(fields[3]), string(fields[7]); {
		case uid == strconv.Itoa(user):
			listening = listening || state == listens
		case state != listens && (uid == "0" || uid == "65534"):
			// Nobody's: it is closed, or was not accepted yet. In a user namespace without root that is the overflow user.
		default:
			return false
		}
	}
	return listening
}
