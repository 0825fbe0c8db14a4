// Package text is FRR's configuration as text: what a model.Node makes of it (Render), what a running FRR shows
// (Parse), what separates the two (Diff), and the commands that lead from one to the other (Commands). It reads and
// writes nothing. Start at Render.
package text

import (
	"slices"
	"strings"
)

// Block is one statement of FRR's configuration and those that stand in it: "router bgp 64999", a
// "neighbor …", an "address-family …" with what is within.
type Block struct {
	Line string
	In   []Block
}

// Parse reads a configuration as `show running-config` prints it: what stands deeper belongs to the line above it.
// Remarks, empty lines and the words that leave a block are no statements.
func Parse(text string) []Block {
	root := Block{}
	stack := []open{{indent: -1, block: &root, at: map[string]int{}}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		statement := strings.TrimLeft(line, " ")
		if !isStatement(statement) {
			continue
		}
		indent := len(line) - len(statement)
		for stack[len(stack)-1].indent >= indent {
			stack = stack[:len(stack)-1]
		}
		stack = append(stack, open{indent: indent, block: stack[len(stack)-1].enter(statement)})
	}
	return root.In
}

// open is a block that is being read.
type open struct {
	indent int
	block  *Block
	at     map[string]int // where its statements stand; made with the first
}

// enter returns the block of a statement, which may stand there already: FRR's daemons share some. The pointer is good
// until the next one is entered beside it.
func (o *open) enter(statement string) *Block {
	i, again := o.at[statement]
	if !again {
		if o.at == nil {
			o.at = map[string]int{}
		}
		i = len(o.block.In)
		o.at[statement] = i
		o.block.In = append(o.block.In, Block{Line: statement})
	}
	return &o.block.In[i]
}

func isStatement(line string) bool {
	if line == "" || strings.HasPrefix(line, "!") || strings.HasPrefix(line, "#") {
		return false
	}
	switch line {
	case "exit", "end", "exit-address-family", "exit-vrf", "exit-vni", "Building configuration...", "Current configuration:":
		return false
	}
	return true
}

// Format prints blocks as Parse reads them.
func Format(blocks []Block) string {
	var out strings.Builder
	format(&out, blocks, 0)
	return out.String()
}

func format(out *strings.Builder, blocks []Block, depth int) {
	for _, b := range blocks {
		out.WriteString(strings.Repeat(" ", depth) + b.Line + "\n")
		format(out, b.In, depth+1)
	}
}

// Merge returns what is in either, in the order of a and then of b.
func Merge(a, b []Block) []Block {
	merged := slices.Clone(a)
	at := make(map[string]int, len(merged))
	for i, block := range merged {
		at[block.Line] = i
	}
	for _, block := range b {
		i, both := at[block.Line]
		if !both {
			at[block.Line] = len(merged)
			merged = append(merged, block)
			continue
		}
		if len(block.In) > 0 {
			merged[i].In = Merge(merged[i].In, block.In)
		}
	}
	return merged
}

// find returns the block of that line.
func find(blocks []Block, line string) (Block, bool) {
	i := slices.IndexFunc(blocks, func(b Block) bool { return b.Line == line })
	if i < 0 {
		return Block{}, false
	}
	return blocks[i], true
}
