package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LoadOrCreateKey returns the key in the file at path, and creates both when there is no file. Processes that do this
// concurrently all return the same key. The folder must exist. A file that other users may read, or whose key is too short, is
// refused.
func LoadOrCreateKey(path string) ([]byte, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path); err != nil {
		return nil, fmt.Errorf("create token key: %w", err)
	}
	return loadKey(path)
}

func loadKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("load token key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("load token key: other users may read %s (mode %#o); run: chmod 600 %s", path, mode, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load token key: %w", err)
	}
	key := bytes.TrimSpace(data)
	if err := checkKey(key); err != nil {
		return nil, fmt.Errorf("load token key from %s: %w; delete the file to create a new key", path, err)
	}
	return key, nil
}

// createKey writes a new key to path, completely or not at all. It does not change an existing file.
func createKey(path string) (err error) {
	// The key is the hexadecimal text itself, so that the file can be given to the issuer of tokens.
	secret := make([]byte, MinKeyBytes)
	rand.Read(secret) // never fails
	text := hex.EncodeToString(secret) + "\n"

	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(draft.Name())) }()
	_, err = draft.WriteString(text)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link fails when another process has created the file.
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
