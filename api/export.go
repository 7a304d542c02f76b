package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"docket/internal/export"
)

// exports serves everything that was answered.
type exports struct {
	export *export.Service
}

func (h exports) ExportAnnotations(
	ctx context.Context, req ExportAnnotationsRequestObject,
) (ExportAnnotationsResponseObject, error) {
	options := export.Options{Pseudonymous: *cmp.Or(req.Params.Pseudonymous, new(false))}
	if req.Params.Since != nil {
		since, err := export.ParseSince(*req.Params.Since)
		if err != nil {
			return nil, Faults{valueFault(err.Error(), "query", "since")}
		}
		options.Since = &since
	}
	return exportResponse{ctx: ctx, format: *cmp.Or(req.Params.Format, new(Jsonl)), answers: h.export.Answers(ctx, options)}, nil
}

// exportMedia are the media types of the formats.
var exportMedia = map[ExportFormat]string{Csv: "text/csv; charset=utf-8", Jsonl: "application/x-ndjson"}

// exportResponse is sent while it is read.
type exportResponse struct {
	ctx     context.Context
	format  ExportFormat
	answers iter.Seq2[export.Answer, error]
}

// VisitExportAnnotationsResponse sends it. It may fail before the first byte, or in the middle.
func (r exportResponse) VisitExportAnnotationsResponse(w http.ResponseWriter) error {
	client := &download{ResponseWriter: w, control: http.NewResponseController(w), format: r.format}
	if isHead(r.ctx) {
		client.begin()
		return nil
	}
	out := bufio.NewWriterSize(client, downloadBuffer)
	err := WriteAnnotations(out, r.format, r.answers)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		if errors.Is(r.ctx.Err(), context.Canceled) && !errors.Is(err, errClientClosed) {
			err = fmt.Errorf("%w: %w", errClientClosed, err)
		}
		return err
	}
	client.begin() // unless it has, with the first answer
	return nil
}

const (
	downloadBuffer = 64 << 10

	// downloadStall is how long a client may take to make room for a buffer. Until then the export waits, with a connection to
	// the database in its hands.
	downloadStall = 30 * time.Second
)

// download is the client, for as long as it takes what is sent.
type download struct {
	http.ResponseWriter
	control *http.ResponseController
	format  ExportFormat
	begun   bool
}

// begin sends the headers, once.
func (d *download) begin() {
	if d.begun {
		return
	}
	d.begun = true
	d.Header().Set("Content-Type", exportMedia[d.format])
	d.Header().Set("Content-Disposition", `attachment; filename="annotations.`+string(d.format)+`"`)
	d.WriteHeader(http.StatusOK)
}

func (d *download) Write(data []byte) (n int, err error) {
	// In place of the server's own deadline, which is meant for answers that are sent at once. A recorder has none.
	err = d.control.SetWriteDeadline(time.Now().Add(downloadStall))
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		d.begin()
		n, err = d.ResponseWriter.Write(data)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errClientClosed, err)
	}
	return n, err
}

// WriteAnnotations writes answers in a format until there are no more, or something fails. CSV begins with a line of names; texts
// are as they are in both.
func WriteAnnotations(w io.Writer, format ExportFormat, answers iter.Seq2[export.Answer, error]) error {
	write, flush := annotationEncoder(w, format)
	for answer, err := range answers {
		if err != nil {
			return err
		}
		if err := write(exportedFrom(answer)); err != nil {
			return err
		}
	}
	return flush()
}

// annotationEncoder returns how to write an annotation in a format, and what is left to do after the last.
func annotationEncoder(w io.Writer, format ExportFormat) (write func(ExportedAnnotation) error, flush func() error) {
	if format == Jsonl {
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		return func(a ExportedAnnotation) error { return lines.Encode(a) }, func() error { return nil }
	}
	table := csv.NewWriter(w)
	header := []string{"url_id", "url", "user", "attribute", "value", "created_at", "validated"}
	record := make([]string, len(header))
	_ = table.Write(header) // into the table's own buffer, which is empty
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

func exportedFrom(a export.Answer) ExportedAnnotation {
	return ExportedAnnotation{
		URLID:     a.URLID,
		URL:       a.URL,
		User:      a.User,
		Attribute: ExportedAnnotationAttribute(a.Attribute),
		Value:     a.Value,
		CreatedAt: timestampOrNull(a.CreatedAt),
		Validated: a.Validated,
	}
}
