package docket_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// licences are recognized by a part of their text, in the order in which the notices name them.
var licences = []struct {
	name string
	text *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License`)},
	{"BSD", regexp.MustCompile(`Redistribution and use in source`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`)},
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License`)},
}

// TestNotices shows that THIRD_PARTY_NOTICES.md names each module in the program, and its licences, and no other module.
func TestNotices(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", "./cmd/docket")
	output, err := list.Output()
	require.NoError(t, err)
	lines := strings.Fields(string(output))
	var expected []string
	for module := range slices.Chunk(lines, 2) {
		var found []string
		files, err := filepath.Glob(filepath.Join(module[1], "LICEN*"))
		require.NoError(t, err)
		for _, licence := range licences {
			if slices.ContainsFunc(files, func(file string) bool {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				return licence.text.Match(text)
			}) {
				found = append(found, licence.name)
			}
		}
		require.NotEmpty(t, found, "a licence of %s that this test does not know", module[0])
		expected = append(expected, module[0]+": "+strings.Join(found, ", "))
	}
	slices.Sort(expected)
	expected = slices.Compact(expected)

	text, err := os.ReadFile("THIRD_PARTY_NOTICES.md")
	require.NoError(t, err)
	var named []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+) \| ([A-Z].*) \|$`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, row[1]+": "+row[2])
	}
	for _, item := range regexp.MustCompile(`(?m)^- (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, item[1]+": MPL-2.0")
	}
	slices.Sort(named)
	require.Equal(t, expected, named)
}
