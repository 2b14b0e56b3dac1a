package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// initFlags are what a new configuration is to say, as text of its file: ${NAME} is a variable. Its template reads the fields.
type initFlags struct {
	Source, Site, Account, Endpoint string
	KeyID, KeySecret                string
	DefaultChain                    bool
	Embedded                        string
	Addr                            string // empty or - for none
	Username, Password              string
	Secure                          bool
	force                           bool
}

func (p *program) init() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration, and check it",
		Long: `Write a configuration with one account, with comments, and check it as
'ordersync check' does. On a terminal it asks for what no flag says. It writes the
file that -c names, else ordersync.yaml, and never over one that is there, unless
--force says so.

Values are text of the file: '${NAME}' is the variable NAME of the environment,
which is where secrets belong. A file that holds a secret itself is for its owner
alone to read.`,
		Example: `  ordersync init
  ordersync init --source bss --site china --access-key-id '${KEY_ID}' --access-key-secret '${KEY_SECRET}'
  ordersync init --source bss --site international --default-chain --addr db.example.com:9000`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Source, "source", "", "the vendor's API: bss, unicloud or domain")
	flags.StringVar(&f.Site, "site", "", "where a bss account was opened: china or international")
	flags.StringVar(&f.Account, "account", "main", "what to call the account; this `name` labels its rows for ever")
	flags.StringVar(&f.Endpoint, "endpoint", "", "another address of the API, such as a proxy's or a simulator's `url`")
	flags.StringVar(&f.KeyID, "access-key-id", "", "the access key's id (default ${ALIBABA_CLOUD_ACCESS_KEY_ID}, or ${UNICLOUD_ACCESS_KEY_ID})")
	flags.StringVar(&f.KeySecret, "access-key-secret", "", "its secret (default ${ALIBABA_CLOUD_ACCESS_KEY_SECRET}, or ${UNICLOUD_ACCESS_KEY_SECRET})")
	flags.BoolVar(&f.DefaultChain, "default-chain", false, "no key: the vendor's default chain of credentials")
	flags.StringVar(&f.Embedded, "embedded", "", "the `folder` of an embedded ClickHouse (default ./ordersync-data)")
	flags.StringVar(&f.Addr, "addr", "", "a ClickHouse server's `host:port` of the native protocol instead")
	flags.StringVar(&f.Username, "username", "default", "the user of that server")
	flags.StringVar(&f.Password, "password", "", "its password (default ${CLICKHOUSE_PASSWORD})")
	flags.BoolVar(&f.Secure, "secure", false, "TLS to that server")
	flags.BoolVar(&f.force, "force", false, "write over a file that is there")
	cmd.MarkFlagsMutuallyExclusive("embedded", "addr")
	cmd.MarkFlagsMutuallyExclusive("default-chain", "access-key-id")
	cmd.MarkFlagsMutuallyExclusive("default-chain", "access-key-secret")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path := cmp.Or(p.file, os.Getenv(config.EnvFile), config.DefaultFile)
		if path == "-" {
			return usage(cmd, errors.New("a configuration is written into a file: name it with -c"))
		}
		if _, err := os.Lstat(path); err == nil && !f.force {
			return usage(cmd, fmt.Errorf("%s is there already: --force writes over it, -c names another file", path))
		}
		for _, flag := range []string{"username", "password", "secure"} {
			if flags.Changed(flag) && !flags.Changed("addr") {
				return usage(cmd, fmt.Errorf("--%s belongs to --addr", flag))
			}
		}
		if err := p.askInit(cmd, &f); err != nil {
			return err
		}
		text := f.text()
		if wrong := f.problems(text); len(wrong) > 0 {
			var lines []string
			for _, w := range wrong {
				lines = append(lines, w.Field+": "+w.Message)
			}
			return usage(cmd, errors.New(strings.Join(lines, "\n")))
		}
		mode := fs.FileMode(0o644)
		if f.holdsSecret() {
			mode = 0o600
		}
		_, err := os.Lstat(path) // it may be there by now: a person has been asked
		if err == nil && !f.force {
			err = fs.ErrExist
		} else {
			err = writeFileWith(path, mode, func(to io.Writer) error {
				_, err := io.WriteString(to, text)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("the configuration is not written: %w", err)
		}
		fmt.Fprintf(p.out, "%s is written; this is what `ordersync check` says of it:\n", path)
		p.file = path
		return p.runCheck(cmd.Context())
	}
	return cmd
}

// question is one that is asked on a terminal where its flag is not given.
type question struct {
	flag, text string
	answer     *string
	otherwise  string // what an empty answer means
	field      string // of the configuration, whose rules the answer has to keep
	hidden     bool   // what is typed is a secret
	needed     bool   // it cannot be left to a default: who is not asked has to give the flag
	skip       bool
}

// askInit asks for what no flag says, or says which flags are missing where there is nobody to ask.
func (p *program) askInit(cmd *cobra.Command, f *initFlags) error {
	flags, person := cmd.Flags(), isTerminal(p.in) && isTerminal(p.err)
	if person {
		fmt.Fprintln(p.console, "Enter takes what is in brackets. ${NAME} is the variable NAME of the environment,\nwhich is where secrets belong.")
	}
	var missing []string
	for n := 0; ; n++ {
		all := f.questions() // again, since they depend on the answers
		if n == len(all) {
			break
		}
		q := all[n]
		switch {
		case flags.Changed(q.flag) || q.skip:
			continue
		case !person && q.needed:
			missing = append(missing, "--"+q.flag)
			continue
		case !person:
			*q.answer = q.otherwise
			continue
		}
		for {
			answer, err := p.ask(cmd.Context(), fmt.Sprintf("%s [%s]: ", q.text, q.otherwise), q.hidden)
			if errors.Is(err, io.EOF) {
				return errors.New("there was no answer, so nothing is written")
			}
			if err != nil {
				return err
			}
			if q.hidden {
				answer = literal(answer)
			}
			*q.answer = cmp.Or(answer, q.otherwise)
			if q.flag == "access-key-id" && answer == "-" {
				*q.answer, f.DefaultChain = "", true
			}
			wrong := f.problem(q.field)
			if wrong == "" {
				break
			}
			fmt.Fprintln(p.console, wrong)
		}
	}
	if len(missing) > 0 {
		return usage(cmd, fmt.Errorf("there is nobody to ask: give %s", strings.Join(missing, " and ")))
	}
	return nil
}

// questions are all of them, in their order, as they are after the answers so far.
func (f *initFlags) questions() []question {
	vendor := "ALIBABA_CLOUD"
	chain := "; - is the vendor's default chain"
	if f.Source == config.SourceUniCloud {
		vendor, chain = "UNICLOUD", ""
	}
	const account, credentials, clickhouse = "accounts[0].", "accounts[0].credentials.", "clickhouse."
	return []question{
		{flag: "source", text: "The vendor's API: bss, unicloud or domain", answer: &f.Source, otherwise: config.SourceBSS, field: account + "source", needed: true},
		{flag: "site", text: "Where the account was opened: china or international", answer: &f.Site, otherwise: config.SiteChina, field: account + "site",
			needed: true, skip: f.Source != "" && f.Source != config.SourceBSS},
		{flag: "account", text: "What to call the account, for ever", answer: &f.Account, otherwise: "main", field: account + "name"},
		{flag: "access-key-id", text: "Access key id" + chain, answer: &f.KeyID,
			otherwise: "${" + vendor + "_ACCESS_KEY_ID}", field: credentials + "access_key_id", skip: f.DefaultChain},
		{flag: "access-key-secret", text: "Its secret, not shown", answer: &f.KeySecret, hidden: true,
			otherwise: "${" + vendor + "_ACCESS_KEY_SECRET}", field: credentials + "access_key_secret", skip: f.DefaultChain},
		{flag: "addr", text: "ClickHouse server, host:port; - is one that ordersync starts itself", answer: &f.Addr,
			otherwise: "-", field: clickhouse + "addr[0]", skip: f.Embedded != ""},
		{flag: "embedded", text: "The folder of its data", answer: &f.Embedded, otherwise: "./ordersync-data", field: clickhouse + "embedded", skip: f.Server()},
		{flag: "username", text: "The user of the server", answer: &f.Username, otherwise: "default", field: clickhouse + "username", skip: !f.Server()},
		{flag: "password", text: "Its password, not shown", answer: &f.Password, hidden: true,
			otherwise: "${CLICKHOUSE_PASSWORD}", field: clickhouse + "password", skip: !f.Server()},
	}
}

// Server reports whether the warehouse is a server's.
func (f *initFlags) Server() bool { return f.Addr != "" && f.Addr != "-" }

// problems are what is wrong with a text. Variables that are not set yet are no problem of it.
func (f *initFlags) problems(text string) []config.Problem {
	_, err := config.Parse("", []byte(text), func(name string) (string, bool) { return cmp.Or(os.Getenv(name), "x"), true })
	var wrong *config.Error
	errors.As(err, &wrong)
	if wrong == nil {
		return nil
	}
	return wrong.Problems
}

// problem is what is wrong with one field, or nothing.
func (f *initFlags) problem(field string) string {
	for _, w := range f.problems(f.text()) {
		if w.Field == field {
			return w.Message
		}
	}
	return ""
}

// onlyVariable matches a value that is nothing but a variable, without a default.
var onlyVariable = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)

// holdsSecret reports whether the file is to hold a secret itself.
func (f *initFlags) holdsSecret() bool {
	for _, secret := range []string{f.KeySecret, f.Password} {
		if secret != "" && !onlyVariable.MatchString(secret) {
			return true
		}
	}
	return false
}

// literal is what was typed as a secret as text of the file: a variable if it is one, else itself, whatever dollars it has.
func literal(typed string) string {
	if onlyVariable.MatchString(typed) {
		return typed
	}
	return strings.NewReplacer("$$", "$$$$", "${", "$${").Replace(typed)
}

// initText is the file. What is commented out says the default.
var initText = template.Must(template.New("").Funcs(template.FuncMap{"yaml": yamlText}).Parse(
	`# The configuration of ordersync, written by ordersync init. config.example.yaml, which comes with the source, shows every
# setting, and how to say more accounts and other kinds of credentials. ` + "`ordersync check`" + ` tells what is wrong.
#
# ${NAME} is the variable NAME of the environment, in every value, and $$ a dollar.

accounts:
  # name labels every row of the account and stays for ever.
  - name: {{yaml .Account}}
    # The vendor's API: bss (Alibaba Cloud orders), domain (Alibaba Cloud domain orders) or unicloud.
    source: {{yaml .Source}}
{{- if .Site}}
    # Where the account was opened: china or international.
    site: {{yaml .Site}}
{{- end}}
{{- if .Endpoint}}
    # Another address of the API.
    endpoint: {{yaml .Endpoint}}
{{- end}}
{{- if .DefaultChain}}
    # There are no credentials here, so the vendor's default chain is asked: the environment, the CLI's profile, the
    # credentials file, the machine's role.
{{- else}}
    credentials:
      access_key_id: {{yaml .KeyID}}
      access_key_secret: {{yaml .KeySecret}}
{{- end}}
    # Calls a second; ordersync slows down by itself when the vendor throttles.
    #quota: {list: 10, detail: 10}

clickhouse:
{{- if .Server}}
  # The native protocol of a server. ordersync grants prints the statements that make its users.
  addr: [{{yaml .Addr}}]
  username: {{yaml .Username}}
  password: {{yaml .Password}}
  secure: {{.Secure}}
  # Who ordersync sql is there: a user who may only read.
  #reader: {username: "", password: ""}
{{- else}}
  # The folder of a ClickHouse that ordersync starts by itself. For a server of your own: addr: ["host:9000"]
  embedded: {{yaml .Embedded}}
{{- end}}
  #database: ordersync

# When ordersync run works, in UTC.
#schedule: {cron: "*/5 * * * *"}

# In which time zone a day and a month begin, in the views and on the status page: such as Asia/Shanghai.
#reporting: {timezone: UTC}

# The status page and /metrics. It asks for no password: keep it on this machine, or behind a proxy.
#http: {listen: "127.0.0.1:9464"}
`))

// plainText matches values that YAML takes as text without quotes, but for null.
var plainText = regexp.MustCompile(`^(\$\{[A-Za-z_]\w*\}|\.?[A-Za-z/][A-Za-z0-9_./-]*)$`)

// yamlText writes a value. JSON's text is text of YAML, too.
func yamlText(value string) (string, error) {
	if plainText.MatchString(value) && !strings.EqualFold(value, "null") {
		return value, nil
	}
	quoted, err := json.Marshal(value)
	return string(quoted), err
}

func (f *initFlags) text() string {
	var b strings.Builder
	if err := initText.Execute(&b, f); err != nil {
		panic(err) // the template is ours, and a builder takes everything
	}
	return b.String()
}
