package embedded

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// In this mode the engine has no handler for what a native connection throws outside of a query, and ends the whole
// process: a login that it refuses, a database that does not exist, a client that resets its connection between two
// packets (it was killed, or it cancelled a query whose answer it had not read) would take the server down. And whoever
// reaches its HTTP port is the user default, a page in a browser too. So the child listens on both ports itself. The engine
// only ever sees logins that it has accepted and connections that end in order.
type relay struct {
	users        []string // who may log in
	native, http string   // where the engine listens
}

const (
	// loginTimeout bounds how long a client may take to say who it is, and the engine to accept it.
	loginTimeout = 10 * time.Second
	// maxLogins bounds the connections whose login is under way. A login takes milliseconds.
	maxLogins = 128
	// maxLoginText bounds each text of a login. The engine's own bound is as large.
	maxLoginText = 64 << 10
	// Codes of the engine.
	authenticationFailed = 516
	networkError         = 210
)

// startRelay moves the engine's ports out of the way, listens in their place, and returns the arguments with the engine's
// own ports.
func startRelay(args []string, users []string) (relay, []string, error) {
	engine, err := choosePorts(0, 0, address{})
	if err != nil {
		return relay{}, nil, err
	}
	r := relay{users: users, native: engine.Native, http: engine.HTTP}
	pending := &pending{}
	out := slices.Clone(args)
	for flag, to := range map[string]struct {
		engine string
		serve  func(net.Listener)
	}{
		"--tcp_port=":  {r.native, func(l net.Listener) { r.serveNative(l, pending) }},
		"--http_port=": {r.http, r.serveHTTP},
	} {
		i := slices.IndexFunc(out, func(a string) bool { return strings.HasPrefix(a, flag) })
		if i < 0 {
			return r, nil, fmt.Errorf("no argument begins with %s", flag)
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, strings.TrimPrefix(out[i], flag)))
		if err != nil {
			return r, nil, err
		}
		out[i] = flag + strconv.Itoa(int(portOf(to.engine)))
		go to.serve(l) // ends with the process
	}
	return r, out, nil
}

// portOf is the port of an address that was made by us.
func portOf(hostport string) uint16 {
	at, _ := netip.ParseAddrPort(hostport)
	return at.Port()
}

// serveNative ends with the process.
func (r relay) serveNative(l net.Listener, p *pending) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		entry := p.add(client)
		go func() {
			defer client.Close()
			hello, err := r.login(client)
			switch {
			case !p.remove(entry): // it was closed to make room
			case err != nil:
				refuse(client, err)
			default:
				pass(client, hello, r.native)
			}
		}()
	}
}

// pending are the connections whose login is under way, the oldest first. When there are too many the oldest is closed:
// clients that say nothing must not keep out those that have a password.
type pending struct {
	mu    sync.Mutex
	conns list.List
}

func (p *pending) add(c net.Conn) *list.Element {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns.Len() >= maxLogins {
		oldest := p.conns.Remove(p.conns.Front()).(net.Conn)
		oldest.Close()
	}
	return p.conns.PushBack(c)
}

// remove reports whether the connection was still there.
func (p *pending) remove(e *list.Element) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.conns.Len()
	p.conns.Remove(e)
	return p.conns.Len() < was
}

// login reads the first packet of a native connection and lets the engine check it. It returns what was read.
func (r relay) login(client net.Conn) ([]byte, error) {
	if err := client.SetDeadline(time.Now().Add(loginTimeout)); err != nil {
		return nil, err
	}
	var read bytes.Buffer
	h, err := decodeHello(proto.NewReader(io.TeeReader(client, &read)))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
	defer cancel()
	if err := r.check(ctx, h); err != nil {
		return nil, err
	}
	return read.Bytes(), client.SetDeadline(time.Time{})
}

// decodeHello reads a login, as [proto.ClientHello] does, with a bound on each text.
func decodeHello(r *proto.Reader) (h proto.ClientHello, err error) {
	code, err := r.UVarInt()
	if err != nil {
		return h, err
	}
	if code != uint64(proto.ClientCodeHello) {
		return h, fmt.Errorf("packet %d instead of a login", code)
	}
	text := func(to *string) {
		if err != nil {
			return
		}
		var n int
		if n, err = r.StrLen(); err == nil && n > maxLoginText {
			err = fmt.Errorf("a text of length %d in a login", n)
		}
		if err == nil {
			var b []byte
			b, err = r.ReadRaw(n)
			*to = string(b)
		}
	}
	number := func(to *int) {
		if err == nil {
			*to, err = r.Int()
		}
	}
	text(&h.Name)
	number(&h.Major)
	number(&h.Minor)
	number(&h.ProtocolVersion)
	text(&h.Database)
	text(&h.User)
	text(&h.Password)
	return h, err
}

// check asks the engine whether it accepts a login, over HTTP: there a refusal is an answer like any other.
func (r relay) check(ctx context.Context, h proto.ClientHello) error {
	if !slices.Contains(r.users, h.User) {
		return refused(h.User)
	}
	question := url.URL{Scheme: "http", Host: r.http, Path: "/", RawQuery: url.Values{"database": {h.Database}}.Encode()}
	if h.Database == "" {
		question.RawQuery = ""
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, question.String(), strings.NewReader("SELECT 1"))
	if err != nil {
		return err
	}
	req.Header.Set("X-ClickHouse-User", h.User)
	req.Header.Set("X-ClickHouse-Key", h.Password)
	resp, err := engineClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	said, err := io.ReadAll(io.LimitReader(resp.Body, maxLoginText))
	if err != nil {
		return err
	}
	code, err := strconv.Atoi(resp.Header.Get("X-ClickHouse-Exception-Code"))
	if err != nil {
		return fmt.Errorf("the engine answered %s", resp.Status)
	}
	return &clickhouse.Exception{Code: int32(code), Message: strings.TrimSpace(string(said))}
}

// engineClient speaks to the engine itself.
var engineClient = &http.Client{Transport: &http.Transport{DialContext: Dial, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}}

func refused(user string) error {
	return &clickhouse.Exception{Code: authenticationFailed, Message: fmt.Sprintf(
		"%s: Authentication failed: password is incorrect, or there is no user with such name", user)}
}

// refuse tells a native client why it may not come in.
func refuse(client net.Conn, err error) {
	said := proto.Exception{Code: networkError, Name: "DB::Exception", Message: err.Error()}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		said.Code, said.Message = proto.Error(exception.Code), exception.Message
	}
	var b proto.Buffer
	proto.ServerCodeException.Encode(&b)
	said.EncodeAware(&b, 0)
	_ = client.SetDeadline(time.Now().Add(time.Second))
	if _, err := client.Write(b.Buf); err != nil {
		return // it has gone
	}
	// What it still sends is read, or closing would reset the connection before it has read why.
	if tcp, ok := client.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, client, maxLoginText)
	}
}

// pass relays one connection and returns when both sides are done. hello is what the client has sent already.
func pass(client net.Conn, hello []byte, engine string) {
	server, err := Dial(context.Background(), "tcp", engine)
	if err != nil {
		return // stopping: the client sees a closed connection, as it would without us
	}
	defer server.Close()
	go func() { // ends when the client does, or with the deferred Close
		if _, err := server.Write(hello); err == nil {
			_, _ = io.Copy(server, client)
		}
		// However the client ended, the engine sees an orderly end, and stops a query that nobody waits for.
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	if _, err := io.Copy(client, server); err != nil {
		// The client is gone. What the engine still says must be read, or closing would reset its connection.
		_, _ = io.Copy(io.Discard, server)
	}
}

// serveHTTP ends with the process.
func (r relay) serveHTTP(l net.Listener) {
	quiet := log.New(io.Discard, "", 0)
	engine := &url.URL{Scheme: "http", Host: r.http}
	s := http.Server{ReadHeaderTimeout: loginTimeout, IdleTimeout: time.Minute, ErrorLog: quiet, Handler: r.guard(&httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { p.SetURL(engine); logIn(p) },
		Transport:     &http.Transport{DialContext: Dial, DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute},
		FlushInterval: -1, // rows are shown as they come
		ErrorLog:      quiet,
	})}
	_ = s.Serve(l)
}

// paths are what is asked for: queries, a sign of life, and the page that asks for a password and a query. The engine asks for
// no password where it has other pages.
var paths = []string{"/", "/ping", "/play"}

// guard lets through who means this server, is no page of another site, and says who it is; the engine checks the password.
func (r relay) guard(engine http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		l, _, err := httpLogin(req)
		switch origin, site := req.Header.Get("Origin"), req.Header.Get("Sec-Fetch-Site"); {
		case !here(req.Host):
			// A name of somebody else that leads here is how a page reads what is not its own (DNS rebinding).
			http.Error(w, "this server is "+loopback+" or localhost", http.StatusMisdirectedRequest)
		case origin != "" && origin != "http://"+req.Host, site != "" && site != "same-origin" && site != "none":
			http.Error(w, "pages of other sites may not ask this server", http.StatusForbidden)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		case req.URL.Path != "/ping" && !slices.Contains(r.users, l.Username):
			w.Header().Set("WWW-Authenticate", `Basic realm="ordersync"`)
			http.Error(w, "log in: `ordersync sql --login` shows how", http.StatusUnauthorized)
		case !slices.Contains(paths, req.URL.Path):
			http.Error(w, "queries go to /", http.StatusNotFound)
		default:
			engine.ServeHTTP(w, req)
		}
	})
}

// here reports whether a Host header names this machine's loopback interface.
func here(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback() || strings.EqualFold(name, "localhost")
}

// Headers and parameters of a login. The engine has its own opinion of which one counts where there are several, and takes
// a request for the user default, who has no password, where it sees none.
const (
	userHeader, passwordHeader = "X-ClickHouse-User", "X-ClickHouse-Key"
	userParam, passwordParam   = "user", "password"
)

// httpLogin returns who a request says it is, in one of the ways that the engine knows, and the query of its URL without
// the login. A request that says it in two ways is an error: the two could differ.
func httpLogin(req *http.Request) (l Login, query string, err error) {
	ways := 0
	if user, password, ok := req.BasicAuth(); ok {
		l, ways = Login{user, password}, ways+1
	}
	if user, password := req.Header.Values(userHeader), req.Header.Values(passwordHeader); len(user)+len(password) > 0 {
		l, ways = Login{req.Header.Get(userHeader), req.Header.Get(passwordHeader)}, max(ways+1, len(user), len(password))
	}
	// The rest of the query stays as it was written: the engine takes what [url.ParseQuery] refuses, such as a semicolon.
	params, rest := map[string][]string{}, []string{}
	for pair := range strings.SplitSeq(req.URL.RawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key, err = url.QueryUnescape(key); err != nil {
			return l, "", err
		}
		if name := strings.ToLower(key); name == userParam || name == passwordParam {
			if value, err = url.QueryUnescape(value); err != nil {
				return l, "", err
			}
			params[name] = append(params[name], value)
			continue
		}
		rest = append(rest, pair)
	}
	if user, password := params[userParam], params[passwordParam]; len(user)+len(password) > 0 {
		l, ways = Login{strings.Join(user, ""), strings.Join(password, "")}, max(ways+1, len(user), len(password))
	}
	if ways > 1 {
		return l, "", errors.New("log in once: by Basic authentication, by " + userHeader + " and " + passwordHeader + ", or by the parameters " +
			userParam + " and " + passwordParam)
	}
	return l, strings.Join(rest, "&"), nil
}

// logIn makes the login that guard has looked at the only one of a request to the engine. It runs after the headers that
// are not to be passed on were removed: a client names some of them itself, and without a login it would be default.
func logIn(p *httputil.ProxyRequest) {
	l, query, err := httpLogin(p.In)
	if err != nil {
		l, query = Login{}, "" // guard has refused it
	}
	harmless := []string{"X-Clickhouse-Database", "X-Clickhouse-Format", "X-Clickhouse-Quota"}
	for name := range p.Out.Header {
		if name == "Authorization" || strings.HasPrefix(name, "X-Clickhouse-") && !slices.Contains(harmless, name) {
			p.Out.Header.Del(name)
		}
	}
	p.Out.URL.RawQuery = query
	if l != (Login{}) {
		p.Out.Header.Set(userHeader, l.Username)
		p.Out.Header.Set(passwordHeader, l.Password)
	}
}
