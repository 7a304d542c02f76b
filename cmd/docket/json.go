package main

import (
	"encoding/json"
	"io"
)

func writeJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// writeJSONLine is for output of unknown length.
func writeJSONLine(out io.Writer, v any) error { return json.NewEncoder(out).Encode(v) }
