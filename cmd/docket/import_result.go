package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"docket/internal/csvfile"
	"docket/internal/imports"
)

// importResult is the result of an import, printed as text or as JSON.
type importResult struct {
	Rows       int64        `json:"rows"`
	Created    int64        `json:"created"`
	Duplicate  int64        `json:"duplicate"`
	Rejected   int64        `json:"rejected"`
	Removed    *int64       `json:"removed,omitempty"` // only of imports that remove what is not in the file
	Unchanged  bool         `json:"unchanged"`
	Seconds    float64      `json:"seconds"`
	Also       []alsoMade   `json:"also_created"`
	Rejections problemsList `json:"rejections"`
	Notes      problemsList `json:"notes"`
}

// alsoMade counts rows that were created in addition to the rows of the file.
type alsoMade struct {
	What  string `json:"what"`
	Count int64  `json:"count"`
}

type problemsList struct {
	Total   int64         `json:"total"`
	Reasons []reasonCount `json:"reasons"`
	First   []problem     `json:"first"`
}

type reasonCount struct {
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
}

type problem struct {
	Line   int64  `json:"line"`
	Column string `json:"column,omitempty"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
}

func agenciesResult(s imports.AgencySummary) importResult {
	return resultOf(s.Accounting, s.Unchanged(), []alsoMade{
		{"states", s.States}, {"counties", s.Counties}, {"localities", s.Localities}, {"locations", s.Locations},
		{"links of agencies and locations", s.Links}, {"known agencies linked to a smaller place", s.Moved},
	})
}

func urlsResult(s imports.URLSummary) importResult {
	batches := int64(0)
	if s.BatchCreated {
		batches = 1
	}
	return resultOf(s.Accounting, s.Unchanged(), []alsoMade{
		{"batches", batches}, {"links of the batch to locations", s.BatchLinks}, {"suggested relevance", s.Relevance}, {"suggested record types", s.RecordTypes},
		{"suggested names", s.Names}, {"suggested agencies", s.Agencies}, {"suggested locations", s.Locations},
		{"tasks", s.Tasks},
	})
}

func followsResult(s imports.FollowSummary) importResult {
	result := resultOf(s.Accounting, s.Unchanged(), []alsoMade{})
	result.Removed = &s.Removed
	return result
}

func resultOf(a csvfile.Accounting, unchanged bool, also []alsoMade) importResult {
	return importResult{
		Rows: a.Rows, Created: a.Created, Duplicate: a.Duplicate, Rejected: a.Rejected, Unchanged: unchanged,
		Also: also, Rejections: problemsOf(a.Rejections), Notes: problemsOf(a.Notes),
	}
}

func problemsOf(p csvfile.Problems) problemsList {
	list := problemsList{Total: p.Total, Reasons: []reasonCount{}, First: []problem{}}
	for _, reason := range p.Reasons {
		list.Reasons = append(list.Reasons, reasonCount(reason))
	}
	for _, first := range p.First {
		list.First = append(list.First, problem(first))
	}
	return list
}

// rejectedError returns the error of an import that rejected rows and stored the others, nil if it rejected none.
func rejectedError(name string, rejected int64) error {
	if rejected == 0 {
		return nil
	}
	return statusError{fmt.Errorf("%s: rejected: %d; the other rows are stored", name, rejected), exitRejected}
}

// shown is the number of rejections and notes that are printed; --json prints more.
const shown = 20

// print writes the result as text. When the import stored nothing because of rejected rows, it writes only these.
func (r importResult) print(out io.Writer, done bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if done {
		fmt.Fprintf(table, "%d\trows\t\n%d\tcreated\t\n%d\tduplicate\t\n%d\trejected\t\n", r.Rows, r.Created, r.Duplicate, r.Rejected)
		if r.Removed != nil {
			fmt.Fprintf(table, "%d\tremoved\t\n", *r.Removed)
		}
		for _, also := range r.Also {
			if also.Count > 0 {
				fmt.Fprintf(table, "%d\t%s\t\n", also.Count, also.What)
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	r.Rejections.print(out, "rejected")
	if done {
		r.Notes.print(out, "accepted with a note")
		if r.Unchanged {
			fmt.Fprintln(out, "nothing new: the database is unchanged")
		}
		fmt.Fprintf(out, "%.1f seconds\n", r.Seconds)
	}
	return nil
}

func (p problemsList) print(out io.Writer, title string) {
	if p.Total == 0 {
		return
	}
	fmt.Fprintf(out, "%s:\n", title)
	for _, reason := range p.Reasons {
		fmt.Fprintf(out, "  %d: %s\n", reason.Rows, reason.Reason)
	}
	for i, first := range p.First {
		if i == shown {
			fmt.Fprintf(out, "    and %d more; --json lists them\n", len(p.First)-shown)
			break
		}
		where := fmt.Sprintf("line %d", first.Line)
		if first.Rows > 1 {
			where += fmt.Sprintf(" and %d more", first.Rows-1)
		}
		if first.Column != "" {
			where += ", " + first.Column
		}
		fmt.Fprintf(out, "    %s: %s: %s\n", where, first.Reason, quoted(first.Value))
	}
}

func quoted(value string) string { return `"` + strings.ReplaceAll(value, `"`, `""`) + `"` }
