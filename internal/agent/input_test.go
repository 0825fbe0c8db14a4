package agent

import (
	"context"
	"errors"
	"testing"

	"ovnbgp/internal/config"
	"ovnbgp/internal/model"
	"ovnbgp/internal/ovn"
)

// fakeHalf is both halves of an input.
type fakeHalf struct{ err error }

func (f fakeHalf) Pokes() <-chan struct{} { return nil }

type fakeOVN struct{ fakeHalf }

func (f fakeOVN) Snapshot(context.Context) (ovn.Snapshot, error) {
	return ovn.Snapshot{Database: "d"}, f.err
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

func TestUnreadHalf(t *testing.T) {
	away := fakeHalf{errors.New("away")}
	for name, source := range map[string]*inputSource{
		"OVN":  newInputSource(fakeOVN{away}, fakeHost{}, config.Node{}),
		"host": newInputSource(fakeOVN{}, fakeHost{away}, config.Node{}),
	} {
		if in, err := source.Snapshot(t.Context()); !errors.Is(err, away.err) {
			t.Errorf("%s: got %+v, %v", name, in, err)
		}
	}
}
