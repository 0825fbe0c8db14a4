package e2e

import (
	"runtime"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// attempt is one try of a script. A script's failure is its own, and not yet the test's.
type attempt struct {
	t      *testing.T
	failed bool
}

// play plays the scripts of params and tells whether they passed.
func play(t *testing.T, params testscript.Params) bool {
	a := &attempt{t: t}
	a.Run("", func(testscript.T) { testscript.RunT(a, params) })
	return !a.failed
}

func (a *attempt) Log(args ...any) { a.t.Log(args...) }

func (a *attempt) Fatal(args ...any) {
	a.t.Log(args...)
	a.FailNow()
}

func (a *attempt) FailNow() {
	a.failed = true
	runtime.Goexit()
}

func (a *attempt) Skip(args ...any) { a.Fatal(append([]any{"no script may skip:"}, args...)...) }

func (a *attempt) Parallel() {}

func (a *attempt) Verbose() bool { return true }

// Run calls f on a goroutine of its own, which FailNow ends.
func (a *attempt) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(a)
	}()
	<-done
}
