package speaker

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for refused, want := range map[int]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 5: 160 * time.Second,
		6: 5 * time.Minute, 7: 5 * time.Minute, 1000: 5 * time.Minute} {
		if got := retryAfter(refused); got != want {
			t.Errorf("refused %d times: %s, want %s", refused, got, want)
		}
	}
}
