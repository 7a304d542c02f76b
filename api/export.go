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

// exportHandlers serve the export.
type exportHandlers struct {
	export *export.Service
}

func (h exportHandlers) ExportAnnotations(
	ctx context.Context, req ExportAnnotationsRequestObject,
) (ExportAnnotationsResponseObject, error) {
	options := export.Options{Pseudonymous: *cmp.Or(req.Params.Pseudonymous, new(false))}
	if req.Params.Since != nil {
		since, err := export.ParseSince(*req.Params.Since)
		if err != nil {
			return nil, contract.Faults{contract.ValueFault(err.Error(), "query", "since")}
		}
		options.Since = &since
	}
	return exportResponse{
		format:   *cmp.Or(req.Params.Format, new(Jsonl)),
		headOnly: isHead(ctx),
		lines:    h.export.Lines(ctx, options),
	}, nil
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
	format   ExportFormat
	headOnly bool
	lines    iter.Seq2[export.Line, error]
}

// VisitExportAnnotationsResponse sends the export. It may fail before the first byte or after it.
func (r exportResponse) VisitExportAnnotationsResponse(w http.ResponseWriter) error {
	client := w.(*response)
	client.stream(http.Header{
		"Content-Type":        {exportMedia[r.format]},
		"Content-Disposition": {`attachment; filename="annotations.` + string(r.format) + `"`},
	}, exportStall)
	if !r.headOnly {
		out := bufio.NewWriterSize(client, exportBuffer)
		if err := WriteAnnotations(out, r.format, r.lines); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	client.WriteHeaderNow() // without an annotation nothing has been written yet
	return nil
}

// WriteAnnotations writes the lines of an export in a format and stops at the first error. CSV begins with a header line.
// Neither format changes a text.
func WriteAnnotations(w io.Writer, format ExportFormat, lines iter.Seq2[export.Line, error]) error {
	write, flush := annotationEncoder(w, format)
	for line, err := range lines {
		if err != nil {
			return err
		}
		if err := write(exportedFrom(line)); err != nil {
			return err
		}
	}
	return flush()
}

// annotationEncoder returns a function that writes an annotation in a format, and one to call after the last annotation.
func annotationEncoder(w io.Writer, format ExportFormat) (write func(ExportedAnnotation) error, flush func() error) {
	if format == Jsonl {
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		return func(a ExportedAnnotation) error { return lines.Encode(a) }, func() error { return nil }
	}
	table := csv.NewWriter(w)
	header := []string{"url_id", "url", "user", "attribute", "value", "created_at", "validated"}
	record := make([]string, len(header))
	_ = table.Write(header) // cannot fail: it is written to the table's own buffer, which is empty
	write = func(a ExportedAnnotation) error {
		record[0], record[1], record[2], record[3] = strconv.Itoa(int(a.URLID)), a.URL, a.User, string(a.Attribute)
		record[4], record[5], record[6] = "", "", strconv.FormatBool(a.Validated)
		if a.Value != nil {
			record[4] = *a.Value
		}
		if a.CreatedAt != nil {
			record[5] = *a.CreatedAt
		}
		return table.Write(record)
	}
	return write, func() error {
		table.Flush()
		return table.Error()
	}
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
