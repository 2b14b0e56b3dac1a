package sink

import (
	"context"
	"strings"
)

// Operator is the name of a RAM user who places orders.
type Operator struct {
	ID   string // as in the column operator of order_items
	Name string // empty = none
}

var operatorTable = &table[Operator]{
	name:    "operators",
	label:   func(o *Operator) string { return "operator " + o.ID },
	size:    func(*Operator) int { return overhead },
	compare: func(a, b *Operator) int { return strings.Compare(a.ID, b.ID) },
	columns: []column[Operator]{
		text("id", func(o *Operator) string { return o.ID }),
		text("name", func(o *Operator) string { return o.Name }),
	},
}

// WriteOperators stores names of operators. They replace those of before of the same ids: the server notes when each came.
func (s *Sink) WriteOperators(ctx context.Context, operators []Operator) error {
	return write(ctx, s, operatorTable, operators)
}
