package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"docket/internal/contract"
	"docket/internal/export"
)

// exportHandlers serve the exports.
type exportHandlers struct {
	export *export.Service
}

func (h exportHandlers) ExportAnnotations(
	ctx context.Context, req ExportAnnotationsRequestObject,
) (ExportAnnotationsResponseObject, error) {
	since, err := sinceFrom(req.Params.Since)
	if err != nil {
		return nil, err
	}
	options := export.Options{Since: since, Pseudonymous: *cmp.Or(req.Params.Pseudonymous, new(false))}
	return newExportResponse(ctx, "annotations", req.Params.Format, func(w io.Writer, format ExportFormat) error {
		return WriteAnnotations(w, format, h.export.Lines(ctx, options))
	}), nil
}

func (h exportHandlers) ExportFacts(ctx context.Context, req ExportFactsRequestObject) (ExportFactsResponseObject, error) {
	since, err := sinceFrom(req.Params.Since)
	if err != nil {
		return nil, err
	}
	options := export.FactOptions{Since: since, Type: (*string)(req.Params.Type)}
	return newExportResponse(ctx, "facts", req.Params.Format, func(w io.Writer, format ExportFormat) error {
		return WriteFacts(since != nil)(w, format, h.export.Facts(ctx, options))
	}), nil
}

// sinceFrom parses the parameter since.
func sinceFrom(text *string) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	since, err := export.ParseSince(*text)
	if err != nil {
		return nil, contract.Faults{contract.ValueFault(err.Error(), "query", "since")}
	}
	return &since, nil
}

// exportMedia maps a format to its media type.
var exportMedia = map[ExportFormat]string{Csv: "text/csv; charset=utf-8", Jsonl: "application/x-ndjson"}

const (
	exportBuffer = 64 << 10
	// exportStall is how long a client may take to accept a buffer. Until then the export waits and holds a database connection.
	exportStall = 30 * time.Second
)

// exportResponse is sent while it is read from the database.
type exportResponse struct {
	name     string // of the downloaded file, without the extension
	format   ExportFormat
	headOnly bool
	write    func(io.Writer, ExportFormat) error
}

func newExportResponse(
	ctx context.Context, name string, format *ExportFormat, write func(io.Writer, ExportFormat) error,
) exportResponse {
	return exportResponse{name: name, format: *cmp.Or(format, new(Jsonl)), headOnly: isHead(ctx), write: write}
}

// VisitExportAnnotationsResponse sends the export.
func (r exportResponse) VisitExportAnnotationsResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitExportFactsResponse sends the export.
func (r exportResponse) VisitExportFactsResponse(w http.ResponseWriter) error { return r.send(w) }

// send sends the export. It may fail before the first byte or after it.
func (r exportResponse) send(w http.ResponseWriter) error {
	client := w.(*response)
	client.stream(http.Header{
		"Content-Type":        {exportMedia[r.format]},
		"Content-Disposition": {`attachment; filename="` + r.name + "." + string(r.format) + `"`},
	}, exportStall)
	if !r.headOnly {
		out := bufio.NewWriterSize(client, exportBuffer)
		if err := r.write(out, r.format); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	client.WriteHeaderNow() // without a line nothing has been written yet
	return nil
}

// column is a column of a table of exported lines.
type column[Wire any] struct {
	name string
	text func(Wire) string
}

// writeLines writes the lines of an export in a format and stops at the first error. CSV begins with a header line. JSON has
// what wire returns, and CSV the columns of it. Neither format changes a text.
func writeLines[Line, Wire any](
	w io.Writer, format ExportFormat, lines iter.Seq2[Line, error], wire func(Line) Wire, columns []column[Wire],
) error {
	write, flush := jsonEncoder[Wire](w)
	if format == Csv {
		write, flush = csvEncoder(w, columns)
	}
	for line, err := range lines {
		if err != nil {
			return err
		}
		if err := write(wire(line)); err != nil {
			return err
		}
	}
	return flush()
}

// jsonEncoder returns a function that writes a line, and one to call after the last line.
func jsonEncoder[Wire any](w io.Writer) (write func(Wire) error, flush func() error) {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	return func(line Wire) error { return lines.Encode(line) }, func() error { return nil }
}

// csvEncoder writes the header line, and returns a function that writes a line, and one to call after the last line.
func csvEncoder[Wire any](w io.Writer, columns []column[Wire]) (write func(Wire) error, flush func() error) {
	table := csv.NewWriter(w)
	record := make([]string, len(columns))
	for i, column := range columns {
		record[i] = column.name
	}
	_ = table.Write(record) // cannot fail: it is written to the table's own buffer, which is empty
	write = func(line Wire) error {
		for i, column := range columns {
			record[i] = column.text(line)
		}
		return table.Write(record)
	}
	return write, func() error {
		table.Flush()
		return table.Error()
	}
}

// WriteAnnotations writes exported annotations in a format and stops at the first error.
func WriteAnnotations(w io.Writer, format ExportFormat, lines iter.Seq2[export.Line, error]) error {
	return writeLines(w, format, lines, exportedFrom, annotationColumns)
}

var annotationColumns = []column[ExportedAnnotation]{
	{"url_id", func(a ExportedAnnotation) string { return strconv.Itoa(int(a.URLID)) }},
	{"url", func(a ExportedAnnotation) string { return a.URL }},
	{"user", func(a ExportedAnnotation) string { return a.User }},
	{"attribute", func(a ExportedAnnotation) string { return string(a.Attribute) }},
	{"value", func(a ExportedAnnotation) string { return textOrEmpty(a.Value) }},
	{"created_at", func(a ExportedAnnotation) string { return textOrEmpty(a.CreatedAt) }},
	{"validated", func(a ExportedAnnotation) string { return strconv.FormatBool(a.Validated) }},
}

func textOrEmpty[Text ~string](text *Text) string {
	if text == nil {
		return ""
	}
	return string(*text)
}

func exportedFrom(l export.Line) ExportedAnnotation {
	return ExportedAnnotation{
		URLID:     l.URLID,
		URL:       l.URL,
		User:      l.User,
		Attribute: ExportedAnnotationAttribute(l.Attribute),
		Value:     l.Value,
		CreatedAt: timestampOrNull(l.CreatedAt),
		Validated: l.Validated,
	}
}
