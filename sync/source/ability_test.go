package source

import "testing"

// byID is a client that can only fetch orders by their ids.
type byID struct{ script }

func (*byID) CanList() bool         { return false }
func (*byID) CanFilterStatus() bool { return false }

func TestAbilitiesSurviveTheCaller(t *testing.T) {
	t.Parallel()
	for _, c := range []Client{&script{}, NewCaller(&script{}, NewBudget(1), NewBudget(1), DefaultPolicy, nil)} {
		if !CanList(c) || !CanFilterStatus(c) {
			t.Errorf("%T says nothing, so it can", c)
		}
	}
	for _, c := range []Client{&byID{}, NewCaller(&byID{}, NewBudget(1), NewBudget(1), DefaultPolicy, nil)} {
		if CanList(c) || CanFilterStatus(c) {
			t.Errorf("%T says that it cannot", c)
		}
	}
}
