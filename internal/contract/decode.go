package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth limits the nesting of a body. The contract needs five levels at most.
const maxDepth = 32

// decodeJSON parses one JSON value into nil, bool, json.Number, string, []any and map[string]any. It is stricter than
// encoding/json: it reports repeated keys, bytes that are not UTF-8 and unpaired surrogates. When ok is false, the
// value is incomplete and only the faults count.
func decodeJSON(data []byte, loc []any) (value any, faults Faults, ok bool) {
	if !utf8.Valid(data) {
		return nil, Faults{{Loc: loc, Msg: "JSON decode error: not UTF-8", Type: "json_invalid"}}, false
	}
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			loc = append(loc[:len(loc):len(loc)], syntax.Offset)
		}
		return nil, Faults{{Loc: loc, Msg: "JSON decode error: " + err.Error(), Type: "json_invalid"}}, false
	}
	if unpairedSurrogate(data) {
		return nil, Faults{{Loc: loc, Msg: "JSON decode error: unpaired surrogate", Type: "json_invalid"}}, false
	}
	d := decoder{Decoder: json.NewDecoder(bytes.NewReader(data))}
	d.UseNumber()
	value = d.value(loc, 0)
	return value, d.faults, !d.tooDeep
}

// unpairedSurrogate reports whether well-formed JSON escapes one half of a surrogate pair without the other.
func unpairedSurrogate(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		data = data[i:]
		unit, ok := escapedUnit(data)
		switch {
		case !ok:
			data = data[2:]
		case !utf16.IsSurrogate(unit):
			data = data[6:]
		default:
			low, ok := escapedUnit(data[6:])
			if !ok || utf16.DecodeRune(unit, low) == utf8.RuneError {
				return true
			}
			data = data[12:]
		}
	}
}

// escapedUnit returns the UTF-16 code unit whose escape, such as \u00e4, data begins with.
func escapedUnit(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(unit), err == nil
}

type decoder struct {
	*json.Decoder
	faults  Faults
	tooDeep bool // nested deeper than maxDepth; the rest is not read
}

// value reads the next value. The syntax has been checked, so reading cannot fail.
func (d *decoder) value(loc []any, depth int) any {
	token, err := d.Token()
	if err != nil {
		return nil
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token
	}
	if depth == maxDepth {
		d.tooDeep = true
		d.faults = append(d.faults, Fault{
			Loc: loc[:1:1], Msg: fmt.Sprintf("JSON decode error: nested deeper than %d levels", maxDepth), Type: "json_invalid",
		})
		return nil
	}
	if delim == '[' {
		list := []any{}
		for !d.tooDeep && d.More() {
			list = append(list, d.value(at(loc, len(list)), depth+1))
		}
		d.end()
		return list
	}
	object := map[string]any{}
	for !d.tooDeep && d.More() {
		name, _ := d.Token()
		key, _ := name.(string)
		here := at(loc, Excerpt(key))
		if _, repeated := object[key]; repeated && len(d.faults) < maxFaults {
			d.faults = append(d.faults, ValueFault("the key appears more than once", here...))
		}
		object[key] = d.value(here, depth+1)
	}
	d.end()
	return object
}

func (d *decoder) end() {
	if !d.tooDeep {
		_, _ = d.Token()
	}
}
