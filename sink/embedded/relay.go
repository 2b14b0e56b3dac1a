package embedded

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// In this mode the engine has no handler for what a native connection throws outside of a query, and ends the whole
// process: a client that resets its connection between two packets (it was killed, or it cancelled a query whose answer
// it had not read) would take the server down. So the child listens on the native port itself and relays each connection
// to the engine, which then only ever sees connections that end in order.

// relayNative moves the engine's native port out of the way, listens in its place, and returns the engine's arguments.
func relayNative(args []string) ([]string, error) {
	const flag = "--tcp_port="
	out := append([]string(nil), args...)
	for i, a := range out {
		port, ok := strings.CutPrefix(a, flag)
		if !ok {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, port))
		if err != nil {
			return nil, err
		}
		engine, err := choosePorts(0, 0, address{})
		if err != nil {
			return nil, err
		}
		_, port, _ = net.SplitHostPort(engine.Native) // made by us
		out[i] = flag + port
		go relay(l, engine.Native)
		return out, nil
	}
	return nil, fmt.Errorf("no argument begins with %s", flag)
}

// relay ends with the process.
func relay(l net.Listener, engine string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go pass(client, engine)
	}
}

// pass relays one connection and returns when both sides are done.
func pass(client net.Conn, engine string) {
	defer client.Close()
	server, err := net.Dial("tcp", engine)
	if err != nil {
		return // not up yet, or stopping: the client sees a closed connection, as it would without us
	}
	defer server.Close()
	go func() { // ends when the client does, or with the deferred Close
		_, _ = io.Copy(server, client)
		// However the client ended, the engine sees an orderly end, and stops a query that nobody waits for.
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	if _, err := io.Copy(client, server); err != nil {
		// The client is gone. What the engine still says must be read, or closing would reset its connection.
		_, _ = io.Copy(io.Discard, server)
	}
}
