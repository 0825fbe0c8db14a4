package e2e

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

const agentLog = "/var/log/ovnbgp/agent.log"

// cmdLog looks at what an agent has logged since the script's begin, or since "log mark NODE": "log NODE REGEXP" waits
// for a line, "! log NODE REGEXP" checks that there is none.
func (s *stage) cmdLog(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: log mark NODE | [!] log NODE REGEXP")
	}
	if args[0] == "mark" {
		text, err := s.agentLog(args[1])
		ts.Check(err)
		s.logged[args[1]] += len(text)
		return
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	find := func() error {
		text, err := s.agentLog(args[0])
		if err == nil && pattern.Match(text) == neg {
			err = fmt.Errorf("match of %q in the log of %s is %v:\n%s", args[1], args[0], !neg, text)
		}
		return err
	}
	if neg {
		ts.Check(find())
		return
	}
	_, err = s.eventually(find)
	ts.Check(err)
}

// agentLog is what the agent of a node has logged since the mark.
func (s *stage) agentLog(node string) ([]byte, error) {
	n, err := s.fabric.Node(node)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(n.Path(agentLog))
	if err != nil {
		return nil, err
	}
	return text[min(s.logged[node], len(text)):], nil
}

// showLogs prints the end of what the agents have logged since the mark: what a script that failed may have come from.
func (s *stage) showLogs(t *testing.T) {
	if s == nil {
		return // the script had not begun
	}
	for _, node := range chassisNames() {
		text, err := s.agentLog(node)
		t.Logf("the log of %s ends with (%v)\n%s", node, err, text[max(0, len(text)-8000):])
	}
}
