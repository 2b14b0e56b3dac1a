package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/cmd/internal/format"
	"github.com/ordersync/ordersync/schema"
)

func (p *program) rejects() *cobra.Command {
	var all bool
	var account, raw string
	cmd := &cobra.Command{
		Use:   "rejects",
		Short: "List the records that could not be stored",
		Long: `List the records that could not become rows and wait for somebody to look.
Nothing is lost: each keeps its payload as received, which --raw shows, and is
tried again, ever more rarely.

A record that will never be right can be accepted with "rejects accept": it stays
in the table and stops making runs fail. It makes no call to a vendor.`,
		Example: `  ordersync rejects
  ordersync rejects --raw 3f0a
  ordersync rejects accept 3f0a --note "test order of the vendor, without an amount"`,
		Args: cobra.NoArgs,
	}
	cmd.PersistentFlags().StringVar(&account, "account", "", "only the account of this `name`")
	cmd.Flags().BoolVar(&all, "all", false, "also those that were accepted or became rows after all")
	cmd.Flags().StringVar(&raw, "raw", "", "print the payload of the reject whose `id` begins so")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the list as JSON")
	cmd.MarkFlagsMutuallyExclusive("raw", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return p.withWarehouse(cmd.Context(), p.loadForReading, app.WarehouseOptions{ReadOnly: true}, func(cfg *config.Config, w *app.Warehouse) error {
			if cmd.Flags().Changed("raw") {
				r, err := oneReject(cmd.Context(), w, account, raw)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(p.out.data(), r.Raw)
				return err
			}
			list, err := listRejects(cmd.Context(), w, account)
			if err == nil && len(list) == 0 {
				err = knownAccount(cmd, cfg, w, account)
			}
			if err != nil {
				return err
			}
			p.rejectList(list, all)
			return nil
		})
	}
	cmd.AddCommand(p.acceptReject(&account))
	return cmd
}

func (p *program) acceptReject(account *string) *cobra.Command {
	var note, by string
	cmd := &cobra.Command{
		Use:   "accept ID --note TEXT",
		Short: "Accept a record that could not be stored, after looking at it",
		Long: `Accept a reject after looking at it. It stays in the table, with who accepted it,
when and why; it is not tried any more, and it stops making runs and status
fail. A record that is rejected for another reason later, or with another
payload, is open again. A run that is under way now may still count it.

The first characters of an id will do where no other id begins with them.`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&note, "note", "", "why it is accepted (required)")
	cmd.Flags().StringVar(&by, "by", "", "who accepts it (default: the user who runs this)")
	cmd.Flags().BoolVar(&p.machine, "json", false, "print the reject as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		note, by = strings.TrimSpace(note), strings.TrimSpace(by)
		switch {
		case note == "":
			return usage(cmd, errors.New("--note is required: say why it can be accepted"))
		case !utf8.ValidString(note + by):
			return usage(cmd, errors.New("--note and --by must be text"))
		case by == "":
			by = operator()
		}
		return p.withWarehouse(cmd.Context(), p.loadForReading, app.WarehouseOptions{}, func(_ *config.Config, w *app.Warehouse) error {
			r, err := accept(cmd.Context(), w, *account, args[0], note, by, time.Now().UTC())
			if err != nil {
				return err
			}
			p.report(newRejectLine(r), func() {
				fmt.Fprintf(p.out, "accepted by %s: %s of %s, %s: %s\n", r.AcceptedBy, r.ID, r.Stream, r.Reason, r.Message)
			})
			return nil
		})
	}
	return cmd
}

// knownAccount fails for an account that is not configured and has no orders: that there is nothing of it says nothing.
func knownAccount(cmd *cobra.Command, cfg *config.Config, w *app.Warehouse, account string) error {
	unknown := onlyAccount(cfg, account)
	if unknown == nil {
		return nil
	}
	if has, err := w.HasOrders(cmd.Context(), account); err != nil || has {
		return err
	}
	return usage(cmd, unknown)
}

// accept records that an operator accepts a reject. It reads the reject again afterwards: somebody else may have accepted
// it at the same time, and a run may have brought another failure of the record since.
func accept(ctx context.Context, w *app.Warehouse, account, prefix, note, by string, now time.Time) (schema.Reject, error) {
	r, err := oneReject(ctx, w, account, prefix)
	if err != nil {
		return r, err
	}
	switch {
	case r.Resolved:
		return r, fmt.Errorf("reject %s became a row after all: there is nothing to accept", r.ID)
	case !r.AcceptedAt.IsZero():
		return r, fmt.Errorf("reject %s was accepted already, by %s at %s: %s", r.ID, r.AcceptedBy, shortTime(&r.AcceptedAt), r.Note)
	}
	r.AcceptedAt, r.AcceptedBy, r.Note = now, by, note
	if err := w.AcceptReject(ctx, r); err != nil {
		return r, err
	}
	after, err := oneReject(ctx, w, r.Account, r.ID)
	switch {
	case err != nil:
		return r, fmt.Errorf("the reject was accepted, but could not be read again: %w", err)
	case after.Resolved:
		return r, fmt.Errorf("reject %s became a row meanwhile: there is nothing to accept", r.ID)
	case after.AcceptedAt.IsZero():
		return r, fmt.Errorf("reject %s has failed in another way meanwhile, %s: %s: look at that, too", r.ID, after.Reason, after.Message)
	case after.AcceptedBy != by || after.Note != note:
		return r, fmt.Errorf("reject %s was accepted already, by %s at %s: %s", r.ID, after.AcceptedBy, shortTime(&after.AcceptedAt), after.Note)
	}
	return after, nil
}

// listRejects reads all rejects, or those of the account that --account names.
func listRejects(ctx context.Context, w *app.Warehouse, account string) ([]schema.Reject, error) {
	if account == "" {
		return w.ListRejects(ctx)
	}
	return w.ListAccountRejects(ctx, account)
}

// findRejects reads the rejects whose id begins so: of one account where --account names one.
func findRejects(ctx context.Context, w *app.Warehouse, account, prefix string) ([]schema.Reject, error) {
	if account == "" {
		return w.FindRejects(ctx, prefix)
	}
	return w.FindAccountRejects(ctx, account, prefix)
}

// oneReject finds the reject whose id begins so.
func oneReject(ctx context.Context, w *app.Warehouse, account, prefix string) (schema.Reject, error) {
	if prefix == "" {
		return schema.Reject{}, errors.New("the id is empty: `ordersync rejects` lists them")
	}
	list, err := findRejects(ctx, w, account, prefix)
	if err != nil {
		return schema.Reject{}, err
	}
	switch len(list) {
	case 0:
		return schema.Reject{}, fmt.Errorf("no reject has an id that begins with %q: `ordersync rejects --all` lists them", prefix)
	case 1:
		return list[0], nil
	}
	// An id in full is meant as it is, even where it begins another one.
	exact := slices.DeleteFunc(slices.Clone(list), func(r schema.Reject) bool { return r.ID != prefix })
	if len(exact) == 1 {
		return exact[0], nil
	}
	const most = 5
	var names []string
	for _, r := range list[:min(len(list), most)] {
		names = append(names, r.ID+" of "+r.Stream.String())
	}
	if len(list) > most {
		names = append(names, "…")
	}
	return schema.Reject{}, fmt.Errorf("%d rejects have an id that begins with %q (%s): give more of it, or --account",
		len(list), prefix, strings.Join(names, ", "))
}

// operator is who runs the program.
func operator() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Getuid()) // a container's user may have no name
}

// rejectLine is a reject as it is listed: without its payload, which may be large.
type rejectLine struct {
	ID string `json:"id"`
	schema.Stream
	Status      string     `json:"status"` // open, accepted or resolved
	Stage       string     `json:"stage"`
	OrderID     string     `json:"order_id"`
	Reason      string     `json:"reason"`
	Message     string     `json:"message"`
	FirstSeen   time.Time  `json:"first_seen"`
	LastSeen    time.Time  `json:"last_seen"`
	Attempts    uint32     `json:"attempts"`
	NextAttempt *time.Time `json:"next_attempt"`
	AcceptedAt  *time.Time `json:"accepted_at"`
	AcceptedBy  string     `json:"accepted_by,omitempty"`
	Note        string     `json:"note,omitempty"`
}

func newRejectLine(r schema.Reject) rejectLine {
	l := rejectLine{
		ID: r.ID, Stream: r.Stream, Status: "open", Stage: r.Stage, OrderID: r.OrderID, Reason: r.Reason,
		Message: r.Message, FirstSeen: r.FirstSeen, LastSeen: r.LastSeen, Attempts: r.Attempts,
		NextAttempt: format.TimeOrNull(r.NextAttempt), AcceptedAt: format.TimeOrNull(r.AcceptedAt), AcceptedBy: r.AcceptedBy, Note: r.Note,
	}
	switch {
	case r.Resolved:
		l.Status = "resolved"
	case !r.AcceptedAt.IsZero():
		l.Status = "accepted"
	}
	if l.Status != "open" {
		l.NextAttempt = nil // it is not tried any more
	}
	return l
}

func (p *program) rejectList(list []schema.Reject, all bool) {
	lines, others := []rejectLine{}, 0
	for _, r := range list {
		l := newRejectLine(r)
		if l.Status == "open" || all {
			lines = append(lines, l)
		} else {
			others++
		}
	}
	p.report(lines, func() { p.rejectTable(lines, all, others) })
}

func (p *program) rejectTable(lines []rejectLine, all bool, others int) {
	if len(lines) > 0 {
		rows := [][]any{{"id", "account", "stage", "order", "reason", "message", "first seen", "last seen", "attempts", "next attempt"}}
		if all {
			rows[0] = append(rows[0], "status", "by", "note")
		}
		for _, l := range lines {
			row := []any{l.ID, l.Stream, l.Stage, printable(l.OrderID), l.Reason,
				printable(l.Message), shortTime(&l.FirstSeen), shortTime(&l.LastSeen), int(l.Attempts), shortTime(l.NextAttempt)}
			if all {
				row = append(row, l.Status, printable(l.AcceptedBy), printable(l.Note))
			}
			rows = append(rows, row)
		}
		p.table(rows)
	} else {
		fmt.Fprintln(p.out, "There are no open rejects.")
	}
	if others > 0 {
		fmt.Fprintf(p.out, "%s not shown; --all shows all\n", plural(others, "accepted or resolved reject"))
	}
}
