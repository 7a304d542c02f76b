package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	now := time.Unix(0, 0)
	p := &progressBar{title: "importing", lines: &out, now: func() time.Time { return now }, next: now.Add(progressEvery)}
	for range 7 {
		p.report(now.Unix()*10, 1000)
		now = now.Add(4 * time.Second)
	}
	p.report(7, -1)
	now = now.Add(time.Minute)
	p.report(8, -1)
	p.finish()
	require.Equal(t, "importing: 12 %, 120 of 1000\nimporting: 24 %, 240 of 1000\nimporting: 8\n", out.String())
}
