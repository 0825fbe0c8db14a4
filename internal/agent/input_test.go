package agent

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// fakeHalf is both halves of an input.
type fakeHalf struct{ err error }

func (f fakeHalf) Pokes() <-chan struct{} { return nil }

type fakeOVN struct {
	fakeHalf
	labels *[]string // those selected
}

func (f fakeOVN) SelectLabels(keys []string) {
	if f.labels != nil {
		*f.labels = keys
	}
}

func (f fakeOVN) Snapshot(context.Context) (ovn.Snapshot, error) {
	s := ovn.Snapshot{Database: "d"}
	if f.labels != nil {
		s.Absent = *f.labels // any list that comes back shows what was selected
	}
	return s, f.err
}

type fakeHost struct{ fakeHalf }

func (f fakeHost) Snapshot(context.Context) (model.Host, error) {
	return model.Host{Name: "node1"}, f.err
}

// A round decides by the settings that its input holds, whatever is put in force meanwhile.
func TestSettingsAreTakenOncePerRound(t *testing.T) {
	source := newInputSource(fakeOVN{}, fakeHost{}, config.Node{AS: 1})
	first, err := source.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source.reconfigure(config.Node{AS: 2})
	select {
	case <-source.Pokes():
	default:
		t.Error("no poke for other settings")
	}
	second, err := source.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Config.AS != 1 || second.Config.AS != 2 || second.OVN.Database != "d" || second.Host.Name != "node1" {
		t.Errorf("first %+v, second %+v", first, second)
	}
}

// A snapshot has the labels that its own settings select by.
func TestLabelsFollowSettings(t *testing.T) {
	policy := func(key string) config.Node {
		return config.Node{Policy: config.Policy{ExternalIDs: config.Lists[config.Label]{
			Allow: []config.Label{{Key: key, AnyValue: true}}}}}
	}
	source := newInputSource(fakeOVN{labels: &[]string{}}, fakeHost{}, policy("a"))
	for _, key := range []string{"a", "b"} {
		source.reconfigure(policy(key))
		in, err := source.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(in.OVN.Absent, []string{key}) {
			t.Errorf("for %s the labels %v were selected", key, in.OVN.Absent)
		}
	}
}

func TestUnreadHalf(t *testing.T) {
	away := fakeHalf{errors.New("away")}
	for name, source := range map[string]*inputSource{
		"OVN":  newInputSource(fakeOVN{fakeHalf: away}, fakeHost{}, config.Node{}),
		"host": newInputSource(fakeOVN{}, fakeHost{away}, config.Node{}),
	} {
		if in, err := source.Snapshot(t.Context()); !errors.Is(err, away.err) {
			t.Errorf("%s: got %+v, %v", name, in, err)
		}
	}
}
