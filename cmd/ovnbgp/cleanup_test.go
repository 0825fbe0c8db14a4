package main

import "testing"

func TestRequireRoot(t *testing.T) {
	if err := requireRoot(0); err != nil {
		t.Errorf("root: %v", err)
	}
	if requireRoot(1000) == nil {
		t.Error("a user may clean up")
	}
}
