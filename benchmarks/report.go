package benchmarks

import (
	"time"

	"docket/benchmarks/measure"
)

// Report is what one run found.
type Report struct {
	Commit  string    `json:"commit"`
	Changed bool      `json:"changed"` // the work tree held changes to that commit
	At      time.Time `json:"at"`
	Machine Machine   `json:"machine"`
	Seconds float64   `json:"seconds"`
	Sizes   []Size    `json:"sizes"`
	Targets []Target  `json:"targets"`
}

// Machine is where it ran.
type Machine struct {
	Processor  string  `json:"processor"`
	Cores      int     `json:"cores"`
	MemoryGB   float64 `json:"memory_gb"`
	OS         string  `json:"os"`
	Go         string  `json:"go"`
	PostgreSQL string  `json:"postgresql"`
	// Load is the system's load average of the last minute, before and after. It shows whether other programs ran.
	Load [2]float64 `json:"load"`
}

// Size is what was found on a database of one size.
type Size struct {
	URLs        int      `json:"urls"`
	Rows        int64    `json:"rows"`
	SeedSeconds float64  `json:"seed_seconds"`
	Figures     []Figure `json:"figures"`
}

// Figure is one measurement. Fields that were not measured are left out.
type Figure struct {
	Group string `json:"group"`
	Name  string `json:"name"`

	P50     float64 `json:"p50_us,omitempty"`
	P99     float64 `json:"p99_us,omitempty"`
	Samples int     `json:"samples,omitempty"`
	// Over is the time, in seconds, after which the statement was cancelled.
	Over float64 `json:"over_s,omitempty"`
	// Times is P50 as a multiple of SELECT 1's, on the same connection in the same run.
	Times   float64  `json:"times_select_1,omitempty"`
	Buffers *Buffers `json:"buffers,omitempty"`

	PerSecond float64 `json:"per_second,omitempty"`
	// Values are measured for this figure only.
	Values map[string]float64 `json:"values,omitempty"`
}

// Buffers is how many pages of 8 KiB are touched, by kind of plan.
type Buffers struct {
	Generic int64 `json:"generic"`
	Custom  int64 `json:"custom"`
}

// worst is the larger of the two: PostgreSQL may take either.
func (b *Buffers) worst() int64 { return max(b.Generic, b.Custom) }

// find returns a figure, nil if it was not measured.
func (s *Size) find(group, name string) *Figure {
	for i := range s.Figures {
		if s.Figures[i].Group == group && s.Figures[i].Name == name {
			return &s.Figures[i]
		}
	}
	return nil
}

// figure makes one of a series, in multiples of one (0 for none).
func figure(group, name string, s measure.Series, one time.Duration) Figure {
	f := Figure{
		Group: group, Name: name, Samples: len(s.Times),
		P50: micros(s.Quantile(0.5)), P99: micros(s.Quantile(0.99)),
	}
	if one > 0 && f.P50 > 0 {
		f.Times = f.P50 / micros(one)
	}
	return f
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
