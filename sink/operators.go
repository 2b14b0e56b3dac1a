package sink

import "context"

// Operator is the name of a RAM user who places orders.
type Operator struct {
	ID   string `ch:"id"`   // as in the column operator of order_items
	Name string `ch:"name"` // empty = none
}

var operatorTable = newTable("operators", func(o *Operator) string { return "operator " + o.ID })

// WriteOperators stores names of operators. They replace those of before of the same ids: the server notes when each came.
func (s *Sink) WriteOperators(ctx context.Context, operators []Operator) error {
	return write(ctx, s, operatorTable, operators)
}
