package embedded

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
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
	sockets, err := os.Open("/proc/net/tcp")
	if err != nil {
		return nil // without the kernel's word there is none
	}
	defer sockets.Close()
	if alone, err := listensAlone(sockets, remote, os.Geteuid()); err != nil || alone {
		return nil
	}
	return fmt.Errorf("somebody else listens at %s: %w", remote, syscall.ECONNREFUSED)
}

// listensAlone reports whether a user, and no other, has sockets at an address of the kernel's list, one of which listens. Only the
// lines of the address are taken apart: on a busy machine the list has thousands of connections that have ended.
func listensAlone(sockets io.Reader, at *net.TCPAddr, user int) (bool, error) {
	const listens = "0A"
	local := fmt.Appendf(nil, ": %08X:%04X ", binary.NativeEndian.Uint32(at.IP.To4()), at.Port) // no remote address has a colon before it
	listening := false
	lines := bufio.NewScanner(sockets)
	for lines.Scan() {
		_, rest, here := bytes.Cut(lines.Bytes(), local)
		fields := bytes.Fields(rest) // from the remote address on
		if !here || len(fields) < 6 {
			continue
		}
		switch state, uid := string(fields[1]), string(fields[5]); {
		case uid == strconv.Itoa(user):
			listening = listening || state == listens
		case state != listens && (uid == "0" || uid == "65534"):
			// Nobody's: it is closed, or was not accepted yet. In a user namespace without root that is the overflow user.
		default:
			return false, nil
		}
	}
	return listening, lines.Err()
}
