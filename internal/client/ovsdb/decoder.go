package ovsdb

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Decoder reads JSON as a stream, token by token, straight into rows. The reply to a monitor request for a large
// database has tens of megabytes; neither its text nor a tree of its values is ever held in memory.
//
// The first error sticks: from then on every method returns zero values and every loop ends, so callers check
// Err once at the end.
type Decoder struct {
	src      io.Reader
	buf      []byte
	pos, end int
	scratch  []byte // text that has escapes or crosses the end of buf
	capture  []byte // copy of what is skipped, while capturing
	captures bool
	strings  *stringCache
	err      error

	// Room for the elements of one set or map, so that the slice kept in a row has exactly the right size.
	pairs []Pair
	strs  []string
	uuids []UUID
	ints  []int64
}

const (
	readBuffer = 64 << 10
	// The cache of recent strings is direct-mapped: map keys, device owners, network and project identifiers repeat
	// in tens of thousands of rows; addresses do not, and must not fill a table that only grows.
	cachedStrings   = 8 << 10
	longestInterned = 128
)

// NewDecoder returns a decoder of what src delivers.
func NewDecoder(src io.Reader) *Decoder {
	return &Decoder{src: src, buf: make([]byte, readBuffer), strings: newStringCache()}
}

// newMemoryDecoder returns a decoder of a value that is already in memory.
func newMemoryDecoder(raw []byte) *Decoder {
	return &Decoder{src: bytes.NewReader(nil), buf: raw, end: len(raw)}
}

// sub is newMemoryDecoder with the cache of strings shared.
func (d *Decoder) sub(raw []byte) *Decoder {
	s := newMemoryDecoder(raw)
	s.strings = d.strings
	return s
}

// Err returns the first error, nil when all went well.
func (d *Decoder) Err() error { return d.err }

// fail records an error unless there is one.
func (d *Decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("decode: "+format, args...)
	}
}

// fill reads more input into an exhausted buffer and reports whether there is any.
func (d *Decoder) fill() bool {
	if d.err != nil {
		return false
	}
	for {
		n, err := d.src.Read(d.buf)
		if n > 0 {
			d.pos, d.end = 0, n
			return true
		}
		if err != nil {
			d.err = err
			if !errors.Is(err, io.EOF) {
				d.err = fmt.Errorf("read: %w", err)
			}
			return false
		}
	}
}

// take consumes one byte of any kind, 0 on error.
func (d *Decoder) take() byte {
	if d.pos >= d.end && !d.fill() {
		return 0
	}
	c := d.buf[d.pos]
	d.pos++
	return c
}

// peek skips white space and returns the next byte without consuming it, 0 on error or at the end.
func (d *Decoder) peek() byte {
	if d.err != nil {
		return 0
	}
	for {
		if d.pos >= d.end && !d.fill() {
			return 0
		}
		switch c := d.buf[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
}

// expect consumes the byte c, after white space.
func (d *Decoder) expect(c byte) {
	if got := d.peek(); got != c {
		d.fail("found %q where %q belongs", got, c)
		return
	}
	d.pos++
}

// more reports whether an array or object that ends with end has an element i, and consumes what stands before
// it, or the end. Use it as the condition of a loop that counts from 0 after expect('[') or expect('{').
func (d *Decoder) more(i int, end byte) bool {
	if d.peek() == end {
		d.pos++
		return false
	}
	if i > 0 {
		d.expect(',')
	}
	return d.err == nil
}

// key reads the name of an object's member and the colon after it.
func (d *Decoder) key() string {
	s := d.str()
	d.expect(':')
	return s
}

// str reads a string. Equal short strings read close to each other share their memory.
func (d *Decoder) str() string { return d.strings.get(d.text()) }

// text reads a string; the bytes are valid until the next call.
func (d *Decoder) text() []byte {
	d.expect('"')
	if d.err != nil {
		return nil
	}
	for i, c := range d.buf[d.pos:d.end] {
		if c == '"' {
			s := d.buf[d.pos : d.pos+i]
			d.pos += i + 1
			return s
		}
		if c == '\\' || c < 0x20 {
			break
		}
	}
	return d.slowText()
}

// slowText reads the rest of a string that has escapes or does not end in the buffer.
func (d *Decoder) slowText() []byte {
	d.scratch = d.scratch[:0]
	for {
		c := d.take()
		switch {
		case d.err != nil:
			return nil
		case c == '"':
			return d.scratch
		case c == '\\':
			d.escape()
		case c < 0x20:
			d.fail("control character %#x in a string", c)
			return nil
		default:
			d.scratch = append(d.scratch, c)
		}
	}
}

// escape appends what stands after a backslash to scratch.
func (d *Decoder) escape() {
	switch c := d.take(); c {
	case '"', '\\', '/':
		d.scratch = append(d.scratch, c)
	case 'b':
		d.scratch = append(d.scratch, '\b')
	case 'f':
		d.scratch = append(d.scratch, '\f')
	case 'n':
		d.scratch = append(d.scratch, '\n')
	case 'r':
		d.scratch = append(d.scratch, '\r')
	case 't':
		d.scratch = append(d.scratch, '\t')
	case 'u':
		r := d.hex4()
		if utf16.IsSurrogate(r) {
			if d.take() != '\\' || d.take() != 'u' {
				d.fail("half a surrogate pair in a string")
				return
			}
			r = utf16.DecodeRune(r, d.hex4())
		}
		d.scratch = utf8.AppendRune(d.scratch, r)
	default:
		d.fail("unknown escape \\%c in a string", c)
	}
}

func (d *Decoder) hex4() rune {
	var digits [4]byte
	for i := range digits {
		digits[i] = d.take()
	}
	n, err := strconv.ParseUint(string(digits[:]), 16, 16)
	if err != nil {
		d.fail("bad \\u escape %q", digits[:])
	}
	return rune(n)
}

// word reads a number, true, false or null; the bytes are valid until the next call.
func (d *Decoder) word() []byte {
	d.peek()
	d.scratch = d.scratch[:0]
	for d.err == nil {
		// A number at the very end of the input has no byte after it.
		if d.pos >= d.end && !d.fill() {
			if errors.Is(d.err, io.EOF) && len(d.scratch) > 0 {
				d.err = nil
			}
			break
		}
		c := d.buf[d.pos]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E' {
			d.scratch = append(d.scratch, c)
			d.pos++
			continue
		}
		break
	}
	if d.err == nil && len(d.scratch) == 0 {
		d.fail("found %q where a value belongs", d.peek())
	}
	return d.scratch
}

func (d *Decoder) integer() int64 {
	w := d.word()
	if d.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(w), 10, 64)
	if err != nil {
		d.fail("%q is not an integer", w)
	}
	return n
}

func (d *Decoder) boolean() bool {
	switch w := d.word(); string(w) {
	case "true":
		return true
	case "false":
	default:
		d.fail("%q is not a boolean", w)
	}
	return false
}

// skip reads a value of any kind and forgets it.
func (d *Decoder) skip() {
	for depth := 0; d.err == nil; {
		switch c := d.peek(); c {
		case '"':
			d.skipText()
		case '{', '[':
			d.keep(c)
			d.pos++
			depth++
		case '}', ']':
			if depth == 0 {
				d.fail("found %q where a value belongs", c)
				return
			}
			d.keep(c)
			d.pos++
			depth--
		case ',', ':':
			if depth == 0 {
				d.fail("found %q where a value belongs", c)
				return
			}
			d.keep(c)
			d.pos++
			continue
		default:
			d.keep(d.word()...)
		}
		if depth == 0 {
			return
		}
	}
}

// skipText skips a string, escapes and all, so that what is captured is what was sent.
func (d *Decoder) skipText() {
	d.keep(d.take())
	for d.err == nil {
		c := d.take()
		d.keep(c)
		if c == '"' {
			return
		}
		if c == '\\' {
			d.keep(d.take())
		}
	}
}

func (d *Decoder) keep(c ...byte) {
	if d.captures {
		d.capture = append(d.capture, c...)
	}
}

// raw reads a value of any kind and returns its text.
func (d *Decoder) raw() []byte {
	d.capture, d.captures = nil, true
	d.skip()
	raw := d.capture
	d.capture, d.captures = nil, false
	return raw
}

// stringCache remembers recent strings, so that equal ones share memory. A nil one remembers nothing.
type stringCache struct {
	seed    maphash.Seed
	entries []string
}

func newStringCache() *stringCache {
	return &stringCache{seed: maphash.MakeSeed(), entries: make([]string, cachedStrings)}
}

func (c *stringCache) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if c == nil || len(b) > longestInterned {
		return string(b)
	}
	e := &c.entries[maphash.Bytes(c.seed, b)%cachedStrings]
	if *e != string(b) {
		*e = string(b)
	}
	return *e
}
