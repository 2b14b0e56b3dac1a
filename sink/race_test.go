package sink

import (
	"errors"
	"testing"

	"github.com/ordersync/ordersync/schema"
	"github.com/ordersync/ordersync/sink/sinktest"
)

// A view that became somebody else's after the look is not replaced (I13).
func TestViewThatChangesHands(t *testing.T) {
	t.Parallel()
	addr, database := sinktest.Database(t)
	cfg := Config{Addr: []string{addr}, Database: database, Username: "default", Timezone: schema.DefaultZone}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := look(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	v := schema.Views()[0]
	if err := f.make(t.Context(), s.Conn(), v); err != nil {
		t.Errorf("a view of ours: %v", err)
	}
	if err := s.Conn().Exec(t.Context(), "CREATE OR REPLACE VIEW "+v.Name+" AS SELECT 1 AS mine"); err != nil {
		t.Fatal(err)
	}
	if err := f.make(t.Context(), s.Conn(), v); !errors.Is(err, errChanged) {
		t.Errorf("a view of somebody else: %v", err)
	}
	var mine uint8
	if err := s.Conn().QueryRow(t.Context(), "SELECT mine FROM "+v.Name).Scan(&mine); err != nil {
		t.Error(err)
	}
	// One that was not there at the look, and is now.
	delete(f.nodes[keyOf(f.nodes)], v.Name)
	if err := f.make(t.Context(), s.Conn(), v); !errors.Is(err, errChanged) {
		t.Errorf("a new view of somebody else: %v", err)
	}
}

func keyOf[V any](m map[string]V) string {
	for k := range m {
		return k
	}
	return ""
}
