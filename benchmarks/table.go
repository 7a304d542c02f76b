package benchmarks

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// Print writes the report for people.
func (r *Report) Print(out io.Writer) error {
	changed := ""
	if r.Changed {
		changed = " with changes"
	}
	fmt.Fprintf(out, "%s%s, %s\n%s, %d cores, %.0f GB, %s, %s, PostgreSQL %s; load average %.1f before, %.1f after; %.0f s\n",
		r.Commit, changed, r.At.Format(time.DateTime), r.Machine.Processor, r.Machine.Cores, r.Machine.MemoryGB, r.Machine.OS,
		r.Machine.Go, r.Machine.PostgreSQL, r.Machine.Load[0], r.Machine.Load[1], r.Seconds)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, size := range r.Sizes {
		fmt.Fprintf(table, "\n%s URLs (%d rows, seeded in %.1f s)\tp50\tp99\tx SELECT 1\tbuffers\tper second\t\n",
			count(size.URLs), size.Rows, size.SeedSeconds)
		group := ""
		for _, f := range size.Figures {
			if f.Group != group {
				group = f.Group
				fmt.Fprintf(table, "%s\t\t\t\t\t\t\n", group)
			}
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.p50(), duration(f.P99), number(f.Times), f.buffers(),
				number(f.PerSecond), f.values())
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(table, "\ntarget\tURLs\twanted\tgot\t\n")
	for _, t := range r.Targets {
		sign, verdict := "<=", "met"
		if t.AtLeast {
			sign = ">="
		}
		if !t.Met {
			verdict = "MISSED"
		}
		fmt.Fprintf(table, "%s\t%s\t%s %s\t%s\t%s\n", t.Name, count(t.URLs), sign, zeroable(t.Want), zeroable(t.Got), verdict)
	}
	return table.Flush()
}

func (f *Figure) p50() string {
	if f.Over > 0 {
		return fmt.Sprintf("> %.0f s", f.Over)
	}
	return duration(f.P50)
}

func (f *Figure) buffers() string {
	switch {
	case f.Buffers == nil:
		return ""
	case f.Buffers.Generic == f.Buffers.Custom:
		return strconv.FormatInt(f.Buffers.Generic, 10)
	default:
		return fmt.Sprintf("%d, custom plan %d", f.Buffers.Generic, f.Buffers.Custom)
	}
}

func (f *Figure) values() (text string) {
	for i, name := range slices.Sorted(maps.Keys(f.Values)) {
		if i > 0 {
			text += ", "
		}
		text += name + " " + zeroable(f.Values[name])
	}
	return text
}

func duration(us float64) string {
	switch {
	case us == 0:
		return ""
	case us < 1000:
		return fmt.Sprintf("%.0f us", us)
	case us < 1e6:
		return fmt.Sprintf("%.1f ms", us/1000)
	default:
		return fmt.Sprintf("%.1f s", us/1e6)
	}
}

func number(v float64) string {
	if v == 0 {
		return ""
	}
	return zeroable(v)
}

func zeroable(v float64) string {
	if v == float64(int64(v)) || v >= 1000 || v <= -1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Compare writes what changed from one report to another: times in multiples of SELECT 1 where there are such, else as
// they are.
func Compare(out io.Writer, from, to *Report) error {
	table, compared := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0), false
	fmt.Fprintf(table, "\t%.12s\t%.12s\tratio\tbuffers\t\n", from.Commit, to.Commit)
	for i := range to.Sizes {
		now := &to.Sizes[i]
		at := slices.IndexFunc(from.Sizes, func(s Size) bool { return s.URLs == now.URLs })
		if at < 0 {
			continue
		}
		compared = true
		fmt.Fprintf(table, "%s URLs\t\t\t\t\t\n", count(now.URLs))
		for _, f := range now.Figures {
			before := from.Sizes[at].find(f.Group, f.Name)
			if before == nil {
				continue
			}
			old, current, show := before.P50, f.P50, duration
			switch {
			case before.Times > 0 && f.Times > 0:
				old, current, show = before.Times, f.Times, func(v float64) string { return zeroable(v) + "x" }
			case before.PerSecond > 0 && f.PerSecond > 0:
				old, current, show = before.PerSecond, f.PerSecond, func(v float64) string { return zeroable(v) + "/s" }
			}
			ratio, buffers := "", ""
			if old > 0 && current > 0 {
				ratio = fmt.Sprintf("%.2f", current/old)
			}
			if before.Buffers != nil && f.Buffers != nil {
				buffers = fmt.Sprintf("%d -> %d", before.Buffers.worst(), f.Buffers.worst())
			}
			fmt.Fprintf(table, "  %s: %s\t%s\t%s\t%s\t%s\t\n", f.Group, f.Name, show(old), show(current), ratio, buffers)
		}
	}
	if !compared {
		return errors.New("the reports have no number of URLs in common, so there is nothing to compare")
	}
	return table.Flush()
}
