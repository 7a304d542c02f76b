package auth_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/auth"
)

func TestLoadOrCreateKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "token.key")
	key, err := auth.LoadOrCreateKey(path)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(key), auth.MinKeyBytes)
	again, err := auth.LoadOrCreateKey(path)
	require.NoError(t, err)
	require.Equal(t, key, again)

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(key)+"\n", string(text))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "temporary files are removed")

	other, err := auth.LoadOrCreateKey(filepath.Join(dir, "other.key"))
	require.NoError(t, err)
	require.NotEqual(t, key, other)
}

func TestLoadOrCreateKeyRace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token.key")
	keys := make([]string, 16)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			key, err := auth.LoadOrCreateKey(path)
			if err == nil {
				keys[i] = string(key)
			}
		})
	}
	group.Wait()
	for _, key := range keys {
		require.NotEmpty(t, key)
		require.Equal(t, keys[0], key)
	}
}

func TestLoadOrCreateKeyRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token.key")
	require.NoError(t, os.WriteFile(path, []byte("short\n"), 0o600))
	_, err := auth.LoadOrCreateKey(path)
	require.ErrorContains(t, err, "5 bytes")

	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("k", 64)), 0o600))
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = auth.LoadOrCreateKey(path)
	require.ErrorContains(t, err, "chmod 600")

	_, err = auth.LoadOrCreateKey(filepath.Join(path, "nowhere"))
	require.Error(t, err)
	_, err = auth.LoadOrCreateKey(filepath.Join(t.TempDir(), "missing", "token.key"))
	require.ErrorContains(t, err, "create token key")
}
