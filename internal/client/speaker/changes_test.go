package speaker

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for refused, want := range map[int]time.Duration{0: 10 * time.Second, 1: 20 * time.Second, 4: 160 * time.Second,
		5: 5 * time.Minute, 6: 5 * time.Minute, 1000: 5 * time.Minute} {
		if got := retryAfter(refused); got != want {
			t.Errorf("refused %d times: %s, want %s", refused, got, want)
		}
	}
}
