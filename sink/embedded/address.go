package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Ports are chosen below the ranges from which kernels take ports for outgoing connections (32768 and up on Linux, 49152
// on macOS). In such a range a client that dials while the server is being restarted can be given the very port it dials:
// it would be connected to itself, and the server could not have its port back.
const firstPort, lastPort = 15000, 32000

// loopback is the only interface served.
const loopback = "127.0.0.1"

// address is where a server listens, and the content of the address file.
type address struct {
	Native string `json:"native"`
	HTTP   string `json:"http"`
	// Database is what the server's users may use; the grants are made when it starts.
	Database string `json:"database"`
}

func (f files) readAddress() (address, error) {
	var at address
	b, err := os.ReadFile(f.address)
	if err != nil {
		return at, err
	}
	if err := json.Unmarshal(b, &at); err != nil {
		return address{}, fmt.Errorf("%s: %w", f.address, err)
	}
	for _, hostport := range []string{at.Native, at.HTTP} {
		host, _, err := net.SplitHostPort(hostport)
		if err != nil || host != loopback {
			return address{}, fmt.Errorf("%s: %q is not an address of an embedded server", f.address, hostport)
		}
	}
	return at, nil
}

// writeAddress replaces the file in one step: readers see the old address or the new one.
func (f files) writeAddress(at address) error {
	b, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return replaceFile(f.address, append(b, '\n'))
}

// replaceFile writes a file that only this user can read, in one step.
func replaceFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // nothing is left of it after the rename
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// choosePorts prefers the fixed ports, then the last ones, then any that are free.
func choosePorts(native, http int, last address) (address, error) {
	pick := func(fixed int, last, not string) (string, error) {
		if fixed != 0 {
			return net.JoinHostPort(loopback, strconv.Itoa(fixed)), nil
		}
		if last != "" && last != not && free(last) {
			return last, nil
		}
		for range 100 {
			hostport := net.JoinHostPort(loopback, strconv.Itoa(firstPort+rand.IntN(lastPort-firstPort)))
			if hostport != not && free(hostport) {
				return hostport, nil
			}
		}
		return "", fmt.Errorf("no free port between %d and %d on %s", firstPort, lastPort, loopback)
	}
	var at address
	var err error
	if at.Native, err = pick(native, last.Native, ""); err != nil {
		return at, err
	}
	at.HTTP, err = pick(http, last.HTTP, at.Native)
	return at, err
}

func free(hostport string) bool {
	l, err := net.Listen("tcp", hostport)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// pingClient closes its connections: the server waits about 5 s for an idle HTTP connection before it stops.
var pingClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Dial connects to an embedded server, and to nobody who has taken its port.
func Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := peer(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// probe reports nil when a server answers on both ports, accepts the login and serves the wanted data folder. A port alone
// proves nothing: after a crash it can belong to the server of another folder.
func (at address) probe(ctx context.Context, data string, l Login) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.HTTP+"/ping", nil)
	if err != nil {
		return err
	}
	resp, err := pingClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("http://%s/ping answered %s", at.HTTP, resp.Status)
	}
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{at.Native}, Auth: clickhouse.Auth{Database: "system", Username: l.Username, Password: l.Password},
		DialTimeout: 5 * time.Second, MaxOpenConns: 1,
		DialContext: func(ctx context.Context, addr string) (net.Conn, error) { return Dial(ctx, "tcp", addr) },
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	var served string
	if err := conn.QueryRow(ctx, "SELECT value FROM system.server_settings WHERE name = 'path'").Scan(&served); err != nil {
		return err
	}
	if filepath.Clean(served) != data {
		return fmt.Errorf("%s serves %s, not %s", at.Native, served, data)
	}
	return nil
}
