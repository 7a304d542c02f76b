package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
)

func writeJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// writeJSONLine is for output of unknown length.
func writeJSONLine(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) }

// progressEvery is the time between two lines of progress.
const progressEvery = 10 * time.Second

// progressBar shows the progress of long work on standard error: as a bar on a terminal, and otherwise, as in the log of a job, as a
// line every ten seconds.
type progressBar struct {
	title string
	bar   *progressbar.ProgressBar
	lines io.Writer // instead of a bar, if not nil
	now   func() time.Time
	next  time.Time // of the next line
}

func newProgressBar(title string) *progressBar {
	p := &progressBar{title: title, now: time.Now}
	if !isTerminal(os.Stderr) {
		p.lines = os.Stderr
	}
	p.next = p.now().Add(progressEvery)
	return p
}

// report is called by the packages that do the work. A negative total is unknown.
func (p *progressBar) report(done, total int64) {
	if p.lines != nil {
		p.reportLine(done, total)
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(os.Stderr),
			progressbar.OptionSetDescription(p.title),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(),
		)
	}
	_ = p.bar.Set64(done) // only fails to draw
}

func (p *progressBar) reportLine(done, total int64) {
	now := p.now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(progressEvery)
	if total <= 0 {
		fmt.Fprintf(p.lines, "%s: %d\n", p.title, done)
		return
	}
	fmt.Fprintf(p.lines, "%s: %d %%, %d of %d\n", p.title, done*100/total, done, total)
}

func (p *progressBar) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
