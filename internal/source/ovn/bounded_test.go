package ovn

import (
	"fmt"
	"testing"

	"ovnbgp/internal/client/ovsdb"
)

// Where conditions would be so many that a server suffers, all rows are copied; conditions that are looked up may be
// more.
func TestBoundedConditions(t *testing.T) {
	list := func(n int) (list []ovsdb.Condition) {
		for i := range n {
			list = append(list, ovsdb.Equal("logical_port", fmt.Sprint(i)))
		}
		return list
	}
	other := pair("external_ids", "a", "b")
	cases := []struct {
		list []ovsdb.Condition
		want int
	}{
		{nil, 0}, {list(5), 5}, {list(maxLookedUp), maxLookedUp}, {list(maxLookedUp + 1), 1},
		{append(list(maxCompared-1), other), maxCompared}, {append(list(maxCompared), other), 1},
	}
	for _, c := range cases {
		got := bounded(c.list)
		if len(got) != c.want || c.want == 1 && got[0].Function != "!=" {
			t.Errorf("of %d conditions %d remain, want %d", len(c.list), len(got), c.want)
		}
	}
}
