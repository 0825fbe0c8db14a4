package text

import "strings"

const hidden = "(hidden)"

// Redact takes out of a statement what nobody but FRR may see.
func Redact(line string) string {
	for _, word := range []string{"password ", "key-string ", "md5 ", "secret "} {
		before, secret, found := strings.Cut(line, word)
		if found && secret != "" && (before == "" || strings.HasSuffix(before, " ")) {
			return before + word + hidden
		}
	}
	return line
}

// Redacted returns the blocks as they may be shown.
func Redacted(blocks []Block) []Block {
	shown := make([]Block, len(blocks))
	for i, b := range blocks {
		shown[i] = Block{Line: Redact(b.Line), In: Redacted(b.In)}
	}
	return shown
}
