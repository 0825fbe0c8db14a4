package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ovnbgp/internal/lab"
)

// cmdLeaf waits until the leaf has a prefix from exactly these nodes: "leaf 203.0.113.9/32 compute1"; from none, with
// "leaf 203.0.113.9/32 none". With "stays 3s" behind it, it must be so now and for that time.
func (s *stage) cmdLeaf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: leaf PREFIX NODE…|none [stays DURATION]")
	}
	prefix, err := netip.ParsePrefix(args[0])
	ts.Check(err)
	want, stay := args[1:], time.Duration(0)
	if i := slices.Index(want, "stays"); i >= 0 {
		stay, err = time.ParseDuration(want[i+1])
		ts.Check(err)
		want = want[:i]
	}
	if slices.Equal(want, []string{"none"}) {
		want = nil
	}
	slices.Sort(want)
	condition := func() error {
		table, err := s.fabric.LeafTable(s.ctx)
		if err != nil {
			return err
		}
		if got := lab.Announcers(table, prefix); !slices.Equal(got, want) {
			return fmt.Errorf("the leaf has %s from %v, want %v", prefix, got, want)
		}
		return nil
	}
	if stay > 0 {
		ts.Check(s.stays(stay, condition))
		return
	}
	took, err := s.eventually(condition)
	ts.Check(err)
	ts.Logf("took %.2f s", took.Seconds())
}

// cmdUpdates counts UPDATE messages at the leaf: "updates mark", then "updates none NODE" or "updates some NODE".
func (s *stage) cmdUpdates(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: updates mark | updates none|some NODE…")
	}
	// What the leaf has been sent, it may take a moment to count.
	time.Sleep(500 * time.Millisecond)
	now, err := s.fabric.Updates(s.ctx)
	ts.Check(err)
	if args[0] == "mark" {
		s.updates = now
		return
	}
	for _, node := range args[1:] {
		got := now[node] - s.updates[node]
		ts.Logf("%d UPDATEs from %s", got, node)
		if (got == 0) != (args[0] == "none") {
			ts.Fatalf("%d UPDATEs from %s since the mark, want %s", got, node, args[0])
		}
	}
}

// cmdUnmoved checks that the leaf's paths to prefixes are the ones of the mark: not withdrawn meanwhile, nor
// changed. "unmoved mark PREFIX…", then "unmoved PREFIX…", or "! unmoved PREFIX…" where they must have.
func (s *stage) cmdUnmoved(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || neg && args[0] == "mark" {
		ts.Fatalf("usage: unmoved mark PREFIX… | [!] unmoved PREFIX…")
	}
	mark := args[0] == "mark"
	if mark {
		args = args[1:]
	}
	for _, text := range args {
		prefix, err := netip.ParsePrefix(text)
		ts.Check(err)
		now, err := s.fabric.LeafPaths(s.ctx, prefix)
		ts.Check(err)
		if mark {
			s.paths[text] = now
		} else if before := s.paths[text]; (now == before) == neg {
			ts.Fatalf("the leaf's paths to %s are %s, were %s", text, now, before)
		}
	}
}

// cmdBanner waits until the outside host reads a VM's name at an address: "banner 203.0.113.9 vm1", or one of several
// behind a load balancer: "banner 203.0.113.9 vm1|vm2"; "! banner 203.0.113.9" waits until nobody answers there.
func (s *stage) cmdBanner(ts *testscript.TestScript, neg bool, args []string) {
	if neg == (len(args) == 2) || len(args) == 0 {
		ts.Fatalf("usage: banner ADDRESS VM | ! banner ADDRESS")
	}
	address, err := netip.ParseAddr(args[0])
	ts.Check(err)
	took, err := s.eventually(func() error {
		name, err := s.fabric.Banner(s.ctx, address)
		switch {
		case neg && err != nil:
			return nil
		case neg:
			return fmt.Errorf("%s answers at %s", name, address)
		case err != nil:
			return err
		case !slices.Contains(strings.Split(args[1], "|"), name):
			return fmt.Errorf("%s answers at %s, want %s", name, address, args[1])
		}
		return nil
	})
	ts.Check(err)
	ts.Logf("took %.2f s", took.Seconds())
}

// cmdPing sends one echo request from the outside host and waits until one is answered.
func (s *stage) cmdPing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ping ADDRESS")
	}
	address, err := netip.ParseAddr(args[0])
	ts.Check(err)
	_, err = s.eventually(func() error { return s.fabric.Ping(s.ctx, address) })
	ts.Check(err)
}

// cmdOn runs a command on a node, with its output for stdout and stderr: "on compute1 ip rule del …".
func (s *stage) cmdOn(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: on NODE COMMAND…")
	}
	out, err := s.run(args[0], args[1:])
	fmt.Fprint(ts.Stdout(), out)
	switch {
	case err != nil && !neg:
		ts.Fatalf("on %s %s: %v\n%s", args[0], strings.Join(args[1:], " "), err, out)
	case err == nil && neg:
		ts.Fatalf("on %s %s: succeeded, and must not", args[0], strings.Join(args[1:], " "))
	}
}

// cmdPlay runs a shell script of the archive on a node: "play compute1 stranger.sh".
func (s *stage) cmdPlay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: play NODE FILE")
	}
	out, err := s.run(args[0], []string{"sh", "-ec", ts.ReadFile(args[1])})
	fmt.Fprint(ts.Stdout(), out)
	if err != nil {
		ts.Fatalf("play %s on %s: %v\n%s", args[1], args[0], err, out)
	}
}

// cmdFinally has a command run on a node at the end of the script, however that ends: "finally compute1 ip rule del …".
func (s *stage) cmdFinally(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: finally NODE COMMAND…")
	}
	s.undo = append(s.undo, func() error {
		out, err := s.run(args[0], args[1:])
		if err != nil {
			return fmt.Errorf("finally on %s %s: %w\n%s", args[0], strings.Join(args[1:], " "), err, out)
		}
		return nil
	})
}

func (s *stage) run(node string, argv []string) (string, error) {
	n, err := s.fabric.Node(node)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	code, err := n.Attach(s.ctx, strings.NewReader(""), &out, &out, argv)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code)
	}
	return out.String(), err
}

// cmdHas waits until a command's output on a node matches: "has compute1 'to 203.0.113.9 lookup' ip rule". With a goal
// in front ("has 1s …") the time it took is printed beside it. "! has" waits until it does not match.
func (s *stage) cmdHas(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: [!] has [GOAL] NODE REGEXP COMMAND…")
	}
	goal, err := time.ParseDuration(args[0])
	if err == nil {
		args = args[1:]
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	took, err := s.eventually(func() error {
		out, err := s.run(args[0], args[2:])
		if err != nil && !neg {
			return fmt.Errorf("%w\n%s", err, out)
		}
		if pattern.MatchString(out) == neg {
			return fmt.Errorf("match of %q on %s is %v:\n%s", args[1], args[0], !neg, out)
		}
		return nil
	})
	ts.Check(err)
	if goal > 0 {
		ts.Logf("took %.2f s, goal %v", took.Seconds(), goal)
		figure(s.name+": "+args[1], "%.2f s, goal %.0f s", took.Seconds(), goal.Seconds())
	} else {
		ts.Logf("took %.2f s", took.Seconds())
	}
}
