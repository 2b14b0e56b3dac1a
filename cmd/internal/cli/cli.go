// Package cli is the command line: one file for each verb.
//
// What a verb found out goes to standard output, and everything about how it got there (progress, logs, errors) to
// standard error, so that output can be piped. Errors are printed in one place, here, and become exit codes here.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/ordersync/ordersync/cmd/internal/app"
)

// program is one run of the command line.
type program struct {
	in      io.Reader
	stdin   io.Reader // the configuration of -c -
	out     *output   // text for people; out.data() is what a program reads
	err     io.Writer
	file    string // -c
	console *console
	machine bool // a program reads: --json of the verb, where it has that
}

// Run runs the command line and returns the exit code. ctx ends when the program shall stop softly.
func Run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	p := &program{in: in, out: newOutput(out), err: errOut, console: &console{to: errOut}}
	root := p.root()
	root.SetArgs(splitParams(args))
	root.SetIn(in)
	root.SetOut(p.out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	said := err
	if lost := p.out.failed(); lost != nil && !errors.Is(err, lost) {
		if message(err) == "" { // the report says it, which was lost
			said = nil
		}
		err, said = errors.Join(err, lost), errors.Join(said, lost)
	}
	code := exitCode(ctx, err)
	if text := message(said); text != "" {
		fmt.Fprintln(p.console, text)
	}
	return code
}

// orientation is what `ordersync` alone says.
const orientation = `ordersync keeps an exact, queryable copy of cloud orders in ClickHouse.

See it work, with an invented account and nothing to set up:
  ordersync demo

Then your own account:
  ordersync init                              write ordersync.yaml: it asks
  ordersync check                             is everything in place? it changes nothing
  ordersync migrate                           make the tables (verbs that write do it too)
  ordersync plan --from 2024-01-01            what would it cost to fill the past?
  ordersync backfill --from 2024-01-01        fill the past
  ordersync run                               keep up from now on
  ordersync verify                            is the copy exact?
  ordersync sql "SELECT count() FROM orders"  look at it`

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "ordersync",
		Short:         "Keep an exact, queryable copy of cloud orders in ClickHouse",
		Long:          orientation,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknown(cmd, fmt.Sprintf("unknown verb %q", args[0]), "", cmd.SuggestionsFor(args[0]))
		},
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version: app.Build().String(),
	}
	root.SuggestionsMinimumDistance = 2
	root.SetVersionTemplate("{{.Version}}\n")
	root.InitDefaultVersionFlag()
	root.Flags().Lookup("version").Hidden = true
	root.PersistentFlags().StringVarP(&p.file, "config", "c", "", "the configuration `file`, or - for standard input (default ordersync.yaml, or what $ORDERSYNC_CONFIG names)")
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRun = func(*cobra.Command, []string) {
		if p.file == "-" {
			p.stdin, p.in = p.in, spent{}
		}
	}
	root.AddCommand(p.demo(), p.init(), p.run(), p.plan(), p.backfill(), p.verify(), p.status(), p.sql(), p.export(), p.rejects(), p.replay(),
		p.products(), p.operators(), p.track(), p.cancel(), p.close(), p.check(), p.migrate(), p.grants(), p.monitoring(), p.notify(), p.healthcheck(), p.simulate(), p.version())
	root.InitDefaultCompletionCmd()
	p.completions(root)
	for _, c := range root.Commands() {
		argumentsAreUsage(c)
	}
	return root
}

// argumentsAreUsage makes arguments that a verb, or one below it, does not take a mistake in usage, and so flags that exclude each
// other or are empty.
func argumentsAreUsage(c *cobra.Command) {
	validate := c.Args
	if validate == nil {
		validate = cobra.ArbitraryArgs
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		return usage(cmd, cmp.Or(validate(cmd, args), cmd.ValidateFlagGroups(), emptyFlag(cmd)))
	}
	for _, below := range c.Commands() {
		argumentsAreUsage(below)
	}
}

// emptyFlag refuses a flag that was given without a value, as a script does whose variable is not set: without the flag a verb may
// mean all accounts, or all of time, which nobody asked for. An empty password is one.
func emptyFlag(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" && f.Name != "password" {
			err = fmt.Errorf("--%s is empty: give it a value or leave it out", f.Name)
		}
	})
	return err
}

// isTerminal reports whether a person sees what is written there, or types what is read there.
func isTerminal(stream any) bool {
	if o, ok := stream.(*output); ok {
		stream = o.to
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
