package main

import (
	"encoding/json"
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

// progressBar shows the progress of long work, on a terminal only.
type progressBar struct {
	title string
	bar   *progressbar.ProgressBar
}

func newProgressBar(title string) *progressBar { return &progressBar{title: title} }

// report is called by the packages that do the work.
func (p *progressBar) report(done, total int64) {
	if !isTerminal(os.Stderr) {
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

func (p *progressBar) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
