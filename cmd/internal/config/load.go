package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"regexp"
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
const howToBegin = "cp config.example.yaml " + DefaultFile + " and edit it"

// Find returns the path of the configuration: path itself (-c) if given, else
// what $ORDERSYNC_CONFIG names, else ./ordersync.yaml. An error for which
// errors.Is(err, fs.ErrNotExist) holds says that there is no such file.
func Find(path string, env LookupEnv) (string, error) {
	named := "-c names it"
	if path == "" && env != nil {
		path, _ = env(EnvFile)
		named = "$" + EnvFile + " names it"
	}
	if path == "" {
		path = DefaultFile
		named = "the default when neither -c nor $" + EnvFile + " names a file"
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fileError(path, err, "the configuration file does not exist; %s (%s)", named, howToBegin)
	case err != nil:
		return "", fileError(path, err, "the configuration file cannot be reached: %v", bare(err))
	case info.IsDir():
		return "", fileError(path, nil, "the configuration is a folder; %s (name a file)", named)
	}
	return path, nil
}

// Load finds, reads and checks the configuration. env returns the variables;
// programs pass os.LookupEnv.
func Load(path string, env LookupEnv) (*Config, error) {
	return load(path, env, false)
}

// LoadOffline is Load for what calls no vendor. Credentials are neither needed nor
// looked at, so the variables in them may be unset; the accounts come without any,
// so that nothing can use them by mistake. All else is as strict as ever.
func LoadOffline(path string, env LookupEnv) (*Config, error) {
	return load(path, env, true)
}

func load(path string, env LookupEnv, offline bool) (*Config, error) {
	path, err := Find(path, env)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fileError(path, err, "the configuration file cannot be read: %v", bare(err))
	}
	return read(path, data, env, offline)
}

// Parse decodes a configuration strictly over the defaults and checks it. The
// name stands for the file in messages. A nil env means that no variable is set.
// Every error is an *Error.
func Parse(name string, data []byte, env LookupEnv) (*Config, error) {
	return read(name, data, env, false)
}

func read(name string, data []byte, env LookupEnv, offline bool) (*Config, error) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	root, problem := parseTree(data)
	if problem != nil {
		return nil, newError(name, []Problem{*problem})
	}
	cfg := Default()
	cfg.File = name
	d := newDecoder(env, root)
	d.offline = offline
	d.fields[""] = field{line: startLine(root)}
	d.value(root, reflect.ValueOf(cfg).Elem(), "")

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
	c := &checker{fields: d.fields, problems: d.problems, offline: offline}
	c.config(cfg)
	if err := newError(name, c.problems); err != nil {
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
