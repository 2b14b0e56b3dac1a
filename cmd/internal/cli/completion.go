package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ordersync/ordersync/cmd/internal/config"
)

// completions has shells complete, beside the names of verbs and flags, the values of flags by their names, for a verb and those
// below it; names of files are offered only where a file or folder is wanted. It is called when all flags are there.
func (p *program) completions(c *cobra.Command) {
	values := map[string]cobra.CompletionFunc{
		"account": p.completeAccounts,
		"config":  cobra.FixedCompletions([]cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		"format":  completeFormats,
		"from":    completeTimes,
		"to":      completeTimes,
		"source":  cobra.FixedCompletions([]cobra.Completion{config.SourceBSS, config.SourceUniCloud, config.SourceDomain}, cobra.ShellCompDirectiveNoFileComp),
		"site":    cobra.FixedCompletions([]cobra.Completion{config.SiteChina, config.SiteInternational}, cobra.ShellCompDirectiveNoFileComp),
	}
	offer := func(f *pflag.Flag) {
		what, _ := pflag.UnquoteUsage(f)
		complete := values[f.Name]
		switch {
		case what == "file" && complete == nil:
			return // the shell completes it
		case what == "folder":
			complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
		case complete == nil:
			complete = cobra.NoFileCompletions
		}
		if err := c.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
			panic(err) // the flag has one by now: somebody calls this twice
		}
	}
	c.PersistentFlags().VisitAll(offer)
	c.LocalNonPersistentFlags().VisitAll(offer)
	if c.ValidArgsFunction == nil && !strings.Contains(c.Use, "FILE") {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, below := range c.Commands() {
		p.completions(below)
	}
}

// completeAccounts offers the accounts of the configuration that the command line names so far; none where it cannot be read.
func (p *program) completeAccounts(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var accounts []cobra.Completion
	if p.file != "-" { // standard input is the terminal's
		if cfg, err := p.loadOffline(); err == nil {
			for _, a := range cfg.Accounts {
				accounts = append(accounts, cobra.CompletionWithDesc(a.Name, a.Source))
			}
		}
	}
	return accounts, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeFormats offers names of ours and formats of ClickHouse that people ask for.
func completeFormats(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return append(slices.Sorted(maps.Keys(formats)), "ArrowStream", "Avro", "CSV", "JSON", "JSONCompact", "JSONEachRow", "Markdown", "Native", "ORC", "Parquet",
		"Pretty", "RawBLOB", "RowBinary", "TabSeparated", "Values", "Vertical", "XML"), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeTimes offers the words for times; a date is not to be guessed.
func completeTimes(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"today", "yesterday", "this-week", "last-week", "this-month", "last-month", "this-year", "last-year", "now", "7d", "30d"},
		cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
