package idempotency

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

func encode[T any](result T) ([]byte, error) {
	outcome, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	return outcome, nil
}

// decode refuses a result with other fields, which another version of Docket has stored.
func decode[T any](outcome []byte) (result T, err error) {
	if outcome == nil {
		return result, errors.New("no result was stored")
	}
	decoder := json.NewDecoder(bytes.NewReader(outcome))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&result); err != nil {
		return *new(T), fmt.Errorf("decode result: %w", err)
	}
	return result, nil
}
