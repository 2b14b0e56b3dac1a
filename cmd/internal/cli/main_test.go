package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ordersync/ordersync/cmd/internal/cli"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink/embedded"
	"github.com/ordersync/ordersync/sink/sinktest"
	"github.com/ordersync/ordersync/sink/warehousetest"
	"github.com/ordersync/ordersync/sync/simulator"
)

// asProgram makes this test binary the program itself.
const asProgram = "TEST_ORDERSYNC_PROGRAM"

// flushVariable makes the program commit that often.
const flushVariable = "TEST_ORDERSYNC_FLUSH"

func TestMain(m *testing.M) {
	embedded.Main()
	if os.Getenv(asProgram) != "" {
		if d, err := time.ParseDuration(os.Getenv(flushVariable)); err == nil {
			cli.FlushEvery(d)
		}
		ctx, stop := cli.Interruptible(context.Background())
		code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	sinktest.Main(m)
}

// world is where the program runs: a folder of its own and a simulated vendor.
type world struct {
	t       *testing.T
	dir     string
	account *simulator.Account
	url     string
	// addr and database are those of the last configure.
	addr, database string
	// withoutSecret leaves TEST_SECRET unset.
	withoutSecret bool
}

const secret = "s3cr3t-of-the-account"

// newWorld has orders of the last 20 hours.
func newWorld(t *testing.T, orders int) *world {
	t.Helper()
	return newWorldWith(t, simulator.Options{Orders: orders})
}

func newWorldWith(t *testing.T, o simulator.Options) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	o.To, o.AccessKeySecret = time.Now(), secret
	if o.From.IsZero() {
		o.From = o.To.Add(-20 * time.Hour)
	}
	w.account = simulator.NewAccount(o)
	server := simulator.New(w.account)
	if err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	w.url = server.URL()
	return w
}

// configure writes ordersync.yaml for a database of the test's own; what follows replaces parts of it.
func (w *world) configure(oldnew ...string) {
	w.t.Helper()
	w.addr, w.database = warehousetest.Database(w.t)
	w.configureAgain(oldnew...)
}

// configureNew is configure for a warehouse that has no tables yet.
func (w *world) configureNew(oldnew ...string) {
	w.t.Helper()
	w.addr, w.database = sinktest.Database(w.t)
	w.configureAgain(oldnew...)
}

// configureAgain writes ordersync.yaml for the same database.
func (w *world) configureAgain(oldnew ...string) {
	w.t.Helper()
	text := fmt.Sprintf(`accounts:
  - name: main
    source: bss
    endpoint: %s
    credentials: {access_key_id: testid, access_key_secret: "${TEST_SECRET}"}
    quota: {list: 1000, detail: 1000}
clickhouse: {addr: [%q], database: %s, username: default}
schedule: {cron: "@every 1s"}
http: {listen: "127.0.0.1:0"}
`, w.url, w.addr, w.database)
	w.write("ordersync.yaml", strings.NewReplacer(oldnew...).Replace(text))
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) command(args ...string) *exec.Cmd {
	// The test's own time bounds it: the context ends when the test does.
	cmd := exec.CommandContext(w.t.Context(), os.Args[0], args...)
	cmd.Dir = w.dir
	cmd.Env = append(environ(), asProgram+"=1",
		"GORACE=atexit_sleep_ms=0") // a program under the race detector else sleeps a second at its end
	if !w.withoutSecret {
		cmd.Env = append(cmd.Env, "TEST_SECRET="+secret)
	}
	return cmd
}

// environ is the environment of the program: what the tests are told is no setting.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, config.Prefix) && !strings.HasPrefix(e, embedded.LibraryVariable+"=")
	})
}

// result is what a run of the program gave.
type result struct {
	code     int
	out, err string
}

// runWith runs the program with standard input and checks what must hold of every run: no secret is shown.
func (w *world) runWith(stdin string, args ...string) result {
	w.t.Helper()
	cmd := w.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	r := result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	if strings.Contains(r.out+r.err, secret) {
		w.t.Errorf("%v shows the secret (I10):\n%s%s", args, r.out, r.err)
	}
	return r
}

// run runs the program and compares the exit code.
func (w *world) run(code int, args ...string) result {
	w.t.Helper()
	r := w.runWith("", args...)
	if r.code != code {
		w.t.Errorf("ordersync %s: exit code %d instead of %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// process is the program while it runs.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string // of standard error
	out   *watched
	seen  []string
}

// watched is standard output that can be waited for.
type watched struct {
	mu    sync.Mutex
	grown *sync.Cond
	text  strings.Builder
}

func newWatched() *watched {
	w := &watched{}
	w.grown = sync.NewCond(&w.mu)
	return w
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.grown.Broadcast()
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *world) start(args ...string) *process {
	w.t.Helper()
	return w.startCommand(w.command(args...))
}

// startCommand starts the program as it was prepared.
func (w *world) startCommand(cmd *exec.Cmd) *process {
	w.t.Helper()
	p := &process{t: w.t, cmd: cmd, lines: make(chan string, 10_000), out: newWatched()}
	p.cmd.Stdout = p.out
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { // ends with the process
		defer close(p.lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// exit waits for the process to end, whatever it says, and returns its exit code; -1 where it was killed.
func (p *process) exit() int {
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	_ = p.cmd.Wait() // the exit code tells
	return p.cmd.ProcessState.ExitCode()
}

// wait reads standard error up to a line that contains the text.
func (p *process) wait(text string) string {
	p.t.Helper()
	for line := range p.lines {
		p.seen = append(p.seen, line)
		if strings.Contains(line, text) {
			return line
		}
	}
	_ = p.cmd.Wait()
	p.t.Fatalf("%q did not come: %s\nstdout: %s\nstderr: %s", text, p.cmd.ProcessState, p.out.String(), strings.Join(p.seen, "\n"))
	return ""
}

// output waits until standard output contains the text, and returns all of it. The test's own time bounds the wait.
func (p *process) output(text string) string {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	for !strings.Contains(p.out.text.String(), text) {
		p.out.grown.Wait()
	}
	return p.out.text.String()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the process to end with the exit code, and returns the rest of standard error.
func (p *process) end(code int) string {
	p.t.Helper()
	var rest []string
	for line := range p.lines {
		rest = append(rest, line)
	}
	_ = p.cmd.Wait() // the exit code tells
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d (%s) instead of %d\nstdout: %s\nstderr: %s\n%s", got, p.cmd.ProcessState, code, p.out.String(),
			strings.Join(p.seen, "\n"), strings.Join(rest, "\n"))
	}
	return strings.Join(rest, "\n")
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return v
}

// contains checks that a text has all the parts.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}
