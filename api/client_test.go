package api_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"docket/internal/dbtest"
	"docket/internal/ranking"
	"docket/internal/sample"
)

// TestStranger has a client generated from the contract, compiled with a program that goes through the annotation cycle
// (testdata/stranger), and run against the service. Both are built apart from this module, as a stranger would; what they
// import is what this module uses, so nothing is fetched for them.
func TestStranger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command(t, ".", nil, "go", "tool", "-modfile=../tools.mod", "oapi-codegen",
		"-generate", "types,client", "-package", "main", "-o", filepath.Join(dir, "client.gen.go"), "openapi.yaml")
	for from, to := range map[string]string{"testdata/stranger/main.go": "main.go", "../go.mod": "go.mod", "../go.sum": "go.sum"} {
		data, err := os.ReadFile(from)
		require.NoError(t, err)
		data = bytes.Replace(data, []byte("module docket\n"), []byte("module stranger\n"), 1)
		require.NoError(t, os.WriteFile(filepath.Join(dir, to), data, 0o644))
	}
	command(t, dir, []string{"GOPROXY=off"}, "go", "build", "-mod=mod", "-o", "stranger", ".")

	pool := dbtest.New(t)
	_, err := sample.Seed(t.Context(), pool, sample.Options{URLs: 30, Seed: 1})
	require.NoError(t, err)
	const user = 4242
	said := command(t, dir, nil, "./stranger", "-server", serve(t, pool, ranking.NewQueue()).URL, "-token", tokenFor(t, user))
	annotated, err := strconv.Atoi(strings.TrimSpace(said))
	require.NoError(t, err)

	var stored, left int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM user_url_type_suggestions WHERE user_id = $1),
		(SELECT count(*) FROM annotation_queue q WHERE eligible AND NOT EXISTS (
			SELECT FROM user_url_type_suggestions s WHERE s.user_id = $1 AND s.url_id = q.url_id))`, user).Scan(&stored, &left))
	require.Equal(t, annotated, stored)
	require.Greater(t, annotated, 5)
	require.Zero(t, left)
}

// command runs a program to its end, which must be a good one, and returns what it printed.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s", name, args, errs.String())
	return string(out)
}
