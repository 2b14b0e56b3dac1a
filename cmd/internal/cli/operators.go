package cli

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ordersync/ordersync/cmd/internal/app"
	"github.com/ordersync/ordersync/cmd/internal/config"
	"github.com/ordersync/ordersync/sink"
)

func (p *program) operators() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operators",
		Short: "Name the RAM users who place orders",
		Long: `Orders have the id of the RAM user who placed them, and no more. The table
operators holds their names; the column operator_name of spend and of other
views shows them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.importOperators())
	return cmd
}

func (p *program) importOperators() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Read names of operators from a CSV file",
		Long: `Read names of operators from a CSV file, or from standard input for -. Each line
is the id of a RAM user and a name; a first line id,name is passed over. Ids that
are there already get the name of the file, an empty name takes theirs away, and
names that the file does not mention stay. A file with a mistake changes nothing.`,
		Example: `  printf '204512345678901234,Anna Berg\n' | ordersync operators import -
  ordersync sql "SELECT operator_name, currency, sum(net) FROM spend GROUP BY ALL"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, name, err := p.open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			operators, err := readOperators(in)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return p.withWarehouse(cmd.Context(), p.loadOffline, app.WarehouseOptions{}, func(_ *config.Config, w *app.Warehouse) error {
				if err := w.WriteOperators(cmd.Context(), operators); err != nil {
					return err
				}
				fmt.Fprintf(p.out, "%s: %s\n", name, plural(len(operators), "operator"))
				return nil
			})
		},
	}
}

// readOperators reads CSV of two columns, id and name, as spreadsheets write it: with or without a byte order mark and a
// line of titles. An error names the line.
func readOperators(in io.Reader) ([]sink.Operator, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1
	var out []sink.Operator
	lines := map[string]int{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err // It names the line.
		}
		line, _ := r.FieldPos(0)
		if line == 1 {
			record[0] = strings.TrimPrefix(record[0], "\ufeff")
		}
		for i := range record {
			record[i] = strings.TrimSpace(record[i])
		}
		id := record[0]
		switch {
		case len(record) != 2:
			return nil, fmt.Errorf("line %d has %s and should have 2: id,name (quote a name that has a comma)", line, plural(len(record), "column"))
		case line == 1 && strings.EqualFold(id, "id") && strings.EqualFold(record[1], "name"):
			continue
		case id == "":
			return nil, fmt.Errorf("line %d has no id: write the id of the RAM user, as in the column operator", line)
		case !utf8.ValidString(id + record[1]):
			return nil, fmt.Errorf("line %d is not UTF-8: save the file as CSV UTF-8", line)
		case lines[id] != 0:
			return nil, fmt.Errorf("line %d names %s again, after line %d: leave one of them", line, id, lines[id])
		}
		lines[id] = line
		out = append(out, sink.Operator{ID: id, Name: record[1]})
	}
	if len(out) == 0 {
		return nil, errors.New("it names nobody: write lines of id,name")
	}
	return out, nil
}
