package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func recordedBuild(version string, settings ...string) *debug.BuildInfo {
	info := &debug.BuildInfo{Main: debug.Module{Version: version}}
	for i := 0; i < len(settings); i += 2 {
		info.Settings = append(info.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
	}
	return info
}

func TestReadBuild(t *testing.T) {
	t.Parallel()
	commit := []string{"vcs.revision", "0e4844f", "vcs.time", "2026-12-01T02:00:00Z", "vcs.modified"}
	tests := map[string]struct {
		linked   string
		recorded *debug.BuildInfo
		want     buildInfo
	}{
		"a tag": {
			recorded: recordedBuild("v1.2.3", append(commit, "false")...),
			want:     buildInfo{Version: "v1.2.3", Commit: "0e4844f", Date: "2026-12-01T02:00:00Z"},
		},
		"a tag and changes": {
			recorded: recordedBuild("v1.2.3+dirty", append(commit, "true")...),
			want:     buildInfo{Version: "v1.2.3", Commit: "0e4844f", Date: "2026-12-01T02:00:00Z", Modified: true},
		},
		"a release": {
			linked:   "v1.2.4",
			recorded: recordedBuild("v1.2.3", append(commit, "false")...),
			want:     buildInfo{Version: "v1.2.4", Commit: "0e4844f", Date: "2026-12-01T02:00:00Z"},
		},
		"no repository":             {recorded: recordedBuild("(devel)"), want: buildInfo{Version: "development"}},
		"a release without either":  {linked: "v1.2.4", recorded: recordedBuild("(devel)"), want: buildInfo{Version: "v1.2.4"}},
		"a version without commit":  {recorded: recordedBuild("v1.2.3"), want: buildInfo{Version: "v1.2.3"}},
		"nothing that was recorded": {want: buildInfo{Version: "development"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.Go, test.want.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
			require.Equal(t, test.want, readBuild(test.linked, test.recorded))
		})
	}
}

func TestPrintBuild(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	found := buildInfo{Version: "v1.2.3", Commit: "0e4844f", Date: "2026-12-01T02:00:00Z", Modified: true, Go: "go1.26", Platform: "linux/arm64"}
	require.NoError(t, found.print(&out))
	require.Equal(t, `docket   v1.2.3
commit   0e4844f, with changes that are not committed
date     2026-12-01T02:00:00Z
go       go1.26
platform linux/arm64
`, out.String())
	out.Reset()
	require.NoError(t, buildInfo{Version: "development", Go: "go1.26", Platform: "linux/arm64"}.print(&out))
	require.Contains(t, out.String(), "commit   unknown\ndate     unknown\n")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	var found buildInfo
	require.NoError(t, json.Unmarshal([]byte(succeed(t, "version", "--json")), &found))
	require.Equal(t, thisBuild(), found)
	require.Contains(t, succeed(t, "version"), build()+"\n")
	require.Contains(t, succeed(t, "--version"), build())
}
