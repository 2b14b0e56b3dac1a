package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/diagnosis"
	"github.com/ordersync/ordersync/sync/source"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2 // the command line or the configuration is wrong
	exitEnvironment = 3 // credentials are refused, or ClickHouse is unavailable
	exitDifferences = 4 // verify found differences, and they are left; or a close cannot be reproduced
	exitInterrupted = 130
)

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal os.Signal }

func (e *interrupted) Error() string { return "stopped by a signal (" + e.signal.String() + ")" }

// Interruptible returns a context that the first SIGINT or SIGTERM ends: work in hand is finished. A second one ends the
// process at once; nothing that was committed is lost by that (I7). stop must be called.
func Interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		for n := 1; ; n++ {
			select {
			case s := <-signals:
				if n > 1 {
					os.Exit(exitInterrupted)
				}
				cancel(&interrupted{s})
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		<-ended
		cancel(nil)
	}
}

// wasInterrupted reports whether a signal ended the context.
func wasInterrupted(ctx context.Context) bool {
	var i *interrupted
	return errors.As(context.Cause(ctx), &i)
}

// exitError is an error whose exit code is known; err is nil where everything has been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exitCode is the exit code of an error.
func exitCode(ctx context.Context, err error) int {
	var (
		exit        *exitError
		wrong       *usageError
		cfg         *config.Error
		environment *app.EnvironmentError
	)
	switch {
	case err == nil:
		return exitOK
	case wasInterrupted(ctx):
		return exitInterrupted
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &wrong), errors.As(err, &cfg):
		return exitUsage
	case errors.As(err, &environment), source.ReasonOf(err) == source.Auth:
		return exitEnvironment
	}
	return exitFailure
}

// message is what is printed of an error, with what cures it, in the words of the diagnosis.
func message(err error) string {
	var exit *exitError
	var cfg *config.Error
	switch {
	case err == nil, errors.As(err, &exit) && exit.err == nil:
		return ""
	case errors.As(err, &cfg):
		return err.Error() // each line names the file already
	}
	text := err.Error()
	for _, cure := range diagnosis.Cures(text) {
		text += "\nWhat helps: " + cure
	}
	return "ordersync: " + text
}

// usageError is a mistake on the command line.
type usageError struct {
	path string // of the verb
	text string
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%s\nRun '%s --help' for usage.", e.text, e.path)
}

// usage makes an error one of usage; nil stays nil.
func usage(cmd *cobra.Command, err error) error {
	var already *usageError
	if err == nil || errors.As(err, &already) {
		return err
	}
	return &usageError{path: cmd.CommandPath(), text: err.Error()}
}

// unknown is about a word that is not known, with the words that may be meant.
func unknown(cmd *cobra.Command, text, prefix string, suggestions []string) error {
	if len(suggestions) > 0 {
		text += "; did you mean " + prefix + strings.Join(suggestions, " or "+prefix) + "?"
	}
	return &usageError{path: cmd.CommandPath(), text: text}
}

// flagError is about a flag that does not exist or has a wrong value.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) || len(missing.GetSpecifiedName()) == 1 {
		return usage(cmd, err)
	}
	// cobra knows how to find similar verbs, so the flags are made verbs of a command that is never run.
	names := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	name := missing.GetSpecifiedName()
	return unknown(cmd, "unknown flag --"+name, "--", names.SuggestionsFor(name))
}
