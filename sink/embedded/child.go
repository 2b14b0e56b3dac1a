package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// startTimeout bounds a start: 0.3 s on an empty folder, more with many tables to load.
	startTimeout = 60 * time.Second

	// stopTimeout is how long a child may take to end after its pipe was closed; it ends at once unless it hangs.
	// Everything acknowledged is in files already, so killing it then loses nothing.
	stopTimeout = 5 * time.Second

	// serveQuery opens both ports and then waits for ever, with next to no rights: it runs as the user default.
	serveQuery = "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; " +
		"SELECT sum(sleepEachRow(3)) FROM system.numbers SETTINGS max_block_size = 1, max_threads = 1"
)

// errPortTaken marks a start that failed only because somebody else listens on the port.
var errPortTaken = errors.New("the port is taken")

// child is one run of the server.
type child struct {
	cmd    *exec.Cmd
	life   *os.File // our end of the pipe: closing it stops the child
	output *output
	exited chan struct{} // closed after the process has ended and its output was read
	users  passwords
}

// startChild runs the server and returns when it answers.
func startChild(ctx context.Context, lib string, f files, at address, opts Options, log *slog.Logger) (*child, error) {
	// The child of an owner that was killed may still be stopping; it holds this lock until it has gone.
	lock, err := waitLock(ctx, f.serverLock, 2*stopTimeout)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the child has its own descriptor of the same lock
	if err := os.Mkdir(f.data, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the data folder can not be written: %w: %s", err, folderRemedy)
	}
	if err := emptyDir(f.work); err != nil {
		return nil, err
	}
	p, err := f.makePasswords()
	if err != nil {
		return nil, err
	}
	if err := f.configure(p, opts); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()

	c := &child{life: write, output: &output{log: log}, exited: make(chan struct{}), users: p}
	c.cmd = exec.Command(self)
	c.cmd.Args = serverArgs(f, at, opts)
	c.cmd.Dir = f.work
	c.cmd.Env = serverEnv(lib, f.dir, opts)
	c.cmd.Stdin = read
	c.cmd.ExtraFiles = []*os.File{lifeFD - 3: read, lockFD - 3: lock}
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	c.cmd.SysProcAttr = ownGroup()
	if err := c.cmd.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("start %s again as the server: %w", self, err)
	}
	go func() { // ends with the process
		defer close(c.exited)
		_ = c.cmd.Wait() // ProcessState tells how it ended
	}()
	if err := c.ready(ctx, at, f.data, p.login(Owner)); err != nil {
		c.stop()
		return nil, err
	}
	log.Debug("the embedded ClickHouse answers", "pid", c.cmd.Process.Pid, "native", at.Native, "http", at.HTTP)
	return c, nil
}

// serverArgs is a command line of clickhouse-local, the form in which the library can open ordinary ports.
func serverArgs(f files, at address, opts Options) []string {
	port := func(hostport string) string {
		_, p, _ := net.SplitHostPort(hostport) // made or checked by us
		return p
	}
	args := []string{
		"clickhouse",
		"--path=" + f.data,
		"--tcp_port=" + port(at.Native),
		"--http_port=" + port(at.HTTP),
		"--listen_host=" + loopback,
		"--config-file=" + filepath.Join(f.config, "config.xml"),
	}
	for _, name := range slices.Sorted(maps.Keys(opts.Settings)) {
		args = append(args, "--"+name+"="+opts.Settings[name])
	}
	return append(args, "--output-format", "TSV", "--query", serveQuery)
}

// serverEnv hands over only what a process needs to live: the owner's environment holds the vendors' credentials (I10).
func serverEnv(lib, dir string, o Options) []string {
	confined := dir
	if o.Open {
		confined = ""
	}
	env := []string{
		serveVariable + "=" + lib,
		usersVariable + "=" + strings.Join(o.users(), ","),
		confineVariable + "=" + confined,
		"TZ=UTC", // the engine takes its time zone from here, whatever its configuration says (I6)
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "GOCOVERDIR", "GORACE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// ready polls until the server answers, has died, or takes too long.
func (c *child) ready(ctx context.Context, at address, data string, l Login) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it did not answer in time"))
	defer cancel()
	last := errors.New("no attempt was made")
	for {
		if err := at.probe(ctx, data, l); err == nil {
			return nil
		} else if ctx.Err() == nil {
			last = err
		}
		select {
		case <-c.exited:
			return c.startError()
		case <-ctx.Done():
			return fmt.Errorf("%w within %s: %w%s", context.Cause(ctx), startTimeout, last, c.said())
		case <-time.After(pollInterval / 4):
		}
	}
}

// startError explains a child that ended before it answered.
func (c *child) startError() error {
	if strings.Contains(strings.ToLower(c.output.tail()), "address already in use") {
		return fmt.Errorf("%w: stop the program that listens there or choose other ports%s", errPortTaken, c.said())
	}
	return fmt.Errorf("the server did not start (%s); if this machine can not run it, set clickhouse.addr to a ClickHouse "+
		"of your own, or let %s name another libchdb.so%s", c.cmd.ProcessState, LibraryVariable, c.said())
}

func (c *child) said() string {
	if tail := c.output.tail(); tail != "" {
		return "; it said:\n" + tail
	}
	return "; it said nothing"
}

// stop ends the child softly, then hard, and returns when it has gone.
func (c *child) stop() {
	c.life.Close()
	select {
	case <-c.exited:
	case <-time.After(stopTimeout):
		c.output.log.Warn("the embedded ClickHouse did not stop in time and is killed", "pid", c.cmd.Process.Pid)
		_ = c.cmd.Process.Kill() // fails only if it has ended meanwhile
		<-c.exited
	}
}

// emptyDir returns the server a working directory without files: its database "default" shows every file there as a table.
func emptyDir(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Mkdir(dir, 0o700)
}

// output logs what the server prints and keeps the end of it for error messages. It is safe for concurrent use.
type output struct {
	log *slog.Logger

	mu   sync.Mutex
	kept []byte
}

// keptBytes bounds the memory that a talkative server takes.
const keptBytes = 4096

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.kept = append(o.kept, p...)
	if over := len(o.kept) - keptBytes; over > 0 {
		o.kept = append(o.kept[:0], o.kept[over:]...)
	}
	o.mu.Unlock()
	for line := range bytes.Lines(p) {
		o.log.Debug("clickhouse", "line", string(bytes.TrimRight(line, "\n")))
	}
	return len(p), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.kept))
}
