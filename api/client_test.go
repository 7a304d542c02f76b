package api_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/ranking"
	"docket/internal/sample"
)

// TestStranger runs a client that is generated from the contract, as a stranger would write it, through the annotation cycle.
func TestStranger(t *testing.T) {
	t.Parallel()
	program := buildStranger(t)
	pool := dbtest.New(t)
	_, err := sample.Seed(t.Context(), pool, sample.Options{URLs: 30, Seed: 1})
	require.NoError(t, err)
	const user = 4242
	output := command(t, ".", nil, program, "-server", serve(t, pool, ranking.NewQueue()).URL, "-token", tokenFor(t, user))
	annotated, err := strconv.Atoi(strings.TrimSpace(output))
	require.NoError(t, err)
	require.Greater(t, annotated, 5)
	require.Equal(t, annotated, dbtest.Count(t, pool, "SELECT count(*) FROM annotation__url_type__user WHERE user_id = $1", user))
	require.Zero(t, dbtest.Count(t, pool, `SELECT count(*) FROM annotation_queue q WHERE eligible AND NOT EXISTS (
		SELECT FROM annotation__url_type__user s WHERE s.user_id = $1 AND s.url_id = q.url_id)`, user))
}

// buildStranger builds testdata/stranger with a client generated from the contract, and returns the path of the program. It is
// built outside of this module, as a stranger would, but imports what this module uses, so that nothing is downloaded. The
// program is kept in the user's cache, and used again while its sources are the same.
func buildStranger(t *testing.T) string {
	sources := map[string][]byte{}
	digest := sha256.New()
	fmt.Fprintln(digest, runtime.Version())
	for _, name := range []string{"openapi.yaml", "testdata/stranger/main.go", "../go.mod", "../go.sum", "../tools.mod"} {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		sources[name] = data
		fmt.Fprintf(digest, "%s %d\n%s", name, len(data), data)
	}
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	cache = filepath.Join(cache, "docket-tests")
	program := filepath.Join(cache, fmt.Sprintf("stranger-%x", digest.Sum(nil)[:16]))
	if _, err := os.Stat(program); err == nil {
		return program
	}

	dir := t.TempDir()
	command(t, ".", nil, "go", "tool", "-modfile=../tools.mod", "oapi-codegen",
		"-generate", "types,client", "-package", "main", "-o", filepath.Join(dir, "client.gen.go"), "openapi.yaml")
	for name, data := range map[string][]byte{
		"main.go": sources["testdata/stranger/main.go"],
		"go.mod":  bytes.Replace(sources["../go.mod"], []byte("module docket\n"), []byte("module stranger\n"), 1),
		"go.sum":  sources["../go.sum"],
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	require.NoError(t, os.MkdirAll(cache, 0o755))
	outdated, err := filepath.Glob(filepath.Join(cache, "stranger-*"))
	require.NoError(t, err)
	draft := fmt.Sprintf("%s.%d", program, os.Getpid()) // renamed when it is complete, because tests of other processes use it
	command(t, dir, []string{"GOPROXY=off"}, "go", "build", "-mod=mod", "-o", draft, ".")
	require.NoError(t, os.Rename(draft, program))
	for _, path := range outdated {
		_ = os.Remove(path) // another process may have removed it
	}
	return program
}

// command runs a program that must succeed, and returns what it prints.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s", name, args, stderr.String())
	return string(out)
}
