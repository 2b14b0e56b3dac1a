package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	// DefaultFile is the configuration that is used when none is named, in the
	// working directory.
	DefaultFile = "ordersync.yaml"
	// EnvFile is the environment variable that names the configuration when the
	// command line does not.
	EnvFile = "ORDERSYNC_CONFIG"
)

// maxSize bounds a file. The ids of 100,000 owners fit; the parser's time
// grows with the square of the nesting, so an unbounded file could hang it.
const maxSize = 4 << 20

// howToBegin is the remedy for a configuration that does not exist.
const howToBegin = "`ordersync init` writes one"

// Sources are what a configuration is read from: a file, and the variables of
// the environment that are settings (see Prefix), which may do without a file.
type Sources struct {
	// File is the path (-c): - for Stdin, and empty for the file that
	// $ORDERSYNC_CONFIG names, else DefaultFile.
	File  string
	Stdin io.Reader
	// Environ is the environment as os.Environ returns it.
	Environ []string
	// Offline is for what calls no vendor. Credentials are neither needed nor looked
	// at, so the variables in them may be unset; the accounts come without any, so
	// that nothing can use them by mistake. All else is as strict as ever.
	Offline bool
}

// Load finds, reads and checks the configuration. Every error is an *Error; one for
// which errors.Is(err, fs.ErrNotExist) holds says that there is none.
func Load(s Sources) (*Config, error) {
	in := input{settings: settings(s.Environ), env: lookup(s.Environ), offline: s.Offline}
	if s.File == "-" {
		return in.standardInput(s.Stdin)
	}
	named, path := "-c names it", s.File
	if path == "" {
		path, _ = in.env(EnvFile)
		named = "$" + EnvFile + " names it"
	}
	if path == "" {
		path = DefaultFile
		named = "the default when neither -c nor $" + EnvFile + " names a file"
	}
	in.name = path
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.File == "" && len(in.settings) > 0:
		in.name = "the environment"
		if path != DefaultFile {
			in.name += " (there is no " + path + ")"
		}
		return in.read()
	case errors.Is(err, fs.ErrNotExist):
		return nil, fileError(path, err, "the configuration file does not exist; %s (%s)", named, howToBegin)
	case err != nil:
		return nil, fileError(path, err, "the configuration file cannot be reached: %v", bare(err))
	case info.IsDir():
		return nil, fileError(path, nil, "the configuration is a folder; %s (name a file)", named)
	}
	if in.data, err = os.ReadFile(path); err != nil {
		return nil, fileError(path, err, "the configuration file cannot be read: %v", bare(err))
	}
	return in.read()
}

// lookup returns the way to find a variable of an environment.
func lookup(environ []string) LookupEnv {
	values := make(map[string]string, len(environ))
	for _, e := range slices.Backward(environ) { // the first one counts, as for os.LookupEnv
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	return func(name string) (string, bool) {
		value, set := values[name]
		return value, set
	}
}

// Parse decodes a configuration strictly over the defaults and checks it. The
// name stands for the file in messages. A nil env means that no variable is set.
// Every error is an *Error.
func Parse(name string, data []byte, env LookupEnv) (*Config, error) {
	if env == nil {
		env = lookup(nil)
	}
	return (&input{name: name, data: data, env: env}).read()
}

// input is what was found for a configuration.
type input struct {
	name     string // of the file, for messages
	data     []byte
	settings []variable
	env      LookupEnv
	offline  bool
}

func (in *input) standardInput(r io.Reader) (*Config, error) {
	in.name = "standard input"
	var err error
	if in.data, err = io.ReadAll(io.LimitReader(r, maxSize+1)); err != nil {
		return nil, fileError(in.name, err, "the configuration cannot be read: %v", err)
	}
	return in.read()
}

func (in *input) read() (*Config, error) {
	root, problem := parseTree(in.data)
	if problem != nil {
		return nil, newError(in.name, []Problem{*problem})
	}
	cfg := Default()
	cfg.File = in.name
	d := newDecoder(in.env, root)
	d.offline = in.offline
	d.fields[""] = field{line: startLine(root), inEnvironment: root == nil && len(in.settings) > 0}
	d.value(root, reflect.ValueOf(cfg).Elem(), "")
	d.environment(in.settings, in.data, cfg)
	cfg.Variables = d.variables

	for i := range cfg.Accounts {
		cfg.Accounts[i].complete()
	}
	// The embedded warehouse is a default; servers that are named replace it. Only
	// a file that names both contradicts itself.
	if _, given := d.fields["clickhouse.embedded"]; !given && len(cfg.ClickHouse.Addr) > 0 {
		cfg.ClickHouse.Embedded = ""
	}
	if _, given := d.fields["schedule.quiet"]; !given {
		cfg.Schedule.Quiet = min(cfg.Schedule.Quiet, cfg.Schedule.Lookback)
	}
	c := &checker{fields: d.fields, problems: d.problems, offline: in.offline}
	c.config(cfg)
	if err := newError(in.name, c.problems); err != nil {
		return nil, err
	}
	return cfg, nil
}

// Validate checks a configuration that was built or changed by a program. Parse
// has already done it for a file.
func (c *Config) Validate() error {
	var ch checker
	ch.config(c)
	return newError(c.File, ch.problems)
}

// parseTree returns the root of the syntax tree, nil for an empty file.
func parseTree(data []byte) (ast.Node, *Problem) {
	if len(data) > maxSize {
		return nil, &Problem{Message: fmt.Sprintf("the file is larger than %d KiB (is it the right one?)", maxSize>>10)}
	}
	// The parser takes a byte order mark for a part of the first key and counts a
	// comment's CR LF as two lines, so both go first.
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))

	file, err := parseYAML(data)
	if err != nil {
		return nil, syntaxProblem(err, data)
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			return nil, &Problem{
				Line:    startLine(doc.Body),
				Message: "a second document begins here (a configuration is one document; remove the --- before it)",
			}
		default:
			root = doc.Body
		}
	}
	return root, nil
}

// parseYAML parses, and turns a panic of the library into an error: a strange
// file must end with a message, not with a stack trace. Repeated keys are
// allowed here, because the library would stop at the first.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the YAML parser cannot read it")
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// quoted matches the pieces of the source that the library puts into messages.
// A password in the wrong place would be one of them (I10).
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// syntaxProblem words the parser's error without the source that it quotes.
func syntaxProblem(err error, data []byte) *Problem {
	p := &Problem{Message: "the file is not valid YAML"}
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return p
	}
	p.Message += ": " + quoted.ReplaceAllString(syntax.GetMessage(), `"…"`)
	token := syntax.GetToken()
	if token == nil || token.Position == nil {
		return p
	}
	p.Line = token.Position.Line
	lines := strings.Split(string(data), "\n")
	if p.Line >= 1 && p.Line <= len(lines) && strings.Contains(lines[p.Line-1], "${") {
		p.Message += ` (inside [ ] and { } a variable needs quotes: "${NAME}")`
	} else {
		p.Message += " (correct this line or the one before it)"
	}
	return p
}

// fileError is an Error about the file as a whole.
func fileError(path string, cause error, format string, args ...any) error {
	return &Error{File: path, Problems: []Problem{{Message: fmt.Sprintf(format, args...)}}, cause: cause}
}

// bare strips the path from an error of the operating system; the Error names it.
func bare(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
