package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxDepth bounds the nesting of a body; the contract needs a handful of levels.
	maxDepth = 32
	// maxFaults bounds an answer: a body can hold more faults than anybody reads.
	maxFaults = 100
	// maxEcho is the longest text, in bytes, of a request that is repeated in an answer.
	maxEcho = 100
)

// decodeJSON reads one JSON value as nil, bool, json.Number, string, []any and map[string]any. It
// is stricter than encoding/json, which lets the last of several equal keys win and replaces bytes
// that are not UTF-8 and halves of surrogate pairs. With ok false the value is not whole and only the faults count.
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
	if halfCharacter(data) {
		return nil, Faults{{Loc: loc, Msg: "JSON decode error: half a surrogate pair", Type: "json_invalid"}}, false
	}
	d := decoder{Decoder: json.NewDecoder(bytes.NewReader(data))}
	d.UseNumber()
	value = d.value(loc, 0)
	return value, d.faults, !d.tooFar
}

// halfCharacter tells whether JSON, known to be well-formed, escapes one half of a surrogate pair without the other.
func halfCharacter(data []byte) bool {
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

// escapedUnit returns the UTF-16 unit that data begins with, as in \u00e4.
func escapedUnit(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(unit), err == nil
}

type decoder struct {
	*json.Decoder
	faults Faults
	tooFar bool // nested over maxDepth: the rest is not read
}

// value reads the next value; the syntax has been checked, so reading cannot fail.
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
		d.tooFar = true
		d.faults = append(d.faults, Fault{
			Loc: loc[:1:1], Msg: fmt.Sprintf("JSON decode error: nested deeper than %d levels", maxDepth), Type: "json_invalid",
		})
		return nil
	}
	if delim == '[' {
		list := []any{}
		for !d.tooFar && d.More() {
			list = append(list, d.value(at(loc, len(list)), depth+1))
		}
		d.end()
		return list
	}
	object := map[string]any{}
	for !d.tooFar && d.More() {
		name, _ := d.Token()
		key, _ := name.(string)
		here := at(loc, echo(key))
		if _, repeated := object[key]; repeated && len(d.faults) < maxFaults {
			d.faults = append(d.faults, valueFault("the key appears more than once", here...))
		}
		object[key] = d.value(here, depth+1)
	}
	d.end()
	return object
}

func (d *decoder) end() {
	if !d.tooFar {
		_, _ = d.Token()
	}
}

// at returns loc with one more step, sharing nothing.
func at(loc []any, step any) []any {
	return append(loc[:len(loc):len(loc)], step)
}

// echo cuts a text of the request down to what may be repeated in an answer.
func echo(s string) string {
	if len(s) <= maxEcho {
		return s
	}
	cut := maxEcho
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
