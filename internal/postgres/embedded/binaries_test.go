package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine creates a file system with the given installations, "VERSION" or "VERSION without PROGRAM" by directory.
func machine(t *testing.T, installations map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for dir, version := range installations {
		version, without, _ := strings.Cut(version, " without ")
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		for _, name := range serverPrograms {
			if name == without {
				continue
			}
			script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version)
			require.NoError(t, os.WriteFile(filepath.Join(root, dir, name), []byte(script), 0o755))
		}
	}
	return root
}

func TestFindBinaries(t *testing.T) {
	t.Parallel()
	const debian = "/usr/lib/postgresql"
	tests := []struct {
		name      string
		installed map[string]string // directory to version
		bindir    string            // PG_BINDIR
		config    string            // what pg_config prints
		path      string            // directory in PATH
		prefer    int
		wantDir   string
		wantMajor int
		wantErr   string
	}{
		{
			name: "the newest, compared as numbers",
			installed: map[string]string{
				debian + "/9/bin": "9.6.24", debian + "/15/bin": "15.18 (Debian 15.18-0+deb12u1)", debian + "/100/bin": "100.1",
			},
			wantDir: debian + "/100/bin", wantMajor: 100,
		}, {
			name:      "the version of the data before the newest",
			installed: map[string]string{debian + "/16/bin": "16.2", debian + "/18/bin": "18.4"},
			prefer:    16, wantDir: debian + "/16/bin", wantMajor: 16,
		}, {
			name:      "the newest when the version of the data is missing",
			installed: map[string]string{debian + "/16/bin": "16.2", debian + "/18/bin": "18beta1"},
			prefer:    15, wantDir: debian + "/18/bin", wantMajor: 18,
		}, {
			name:      "PG_BINDIR before everything",
			installed: map[string]string{"/opt/mine": "15.1", debian + "/18/bin": "18.4"},
			bindir:    "/opt/mine", path: debian + "/18/bin", prefer: 18, wantDir: "/opt/mine", wantMajor: 15,
		}, {
			name:      "PG_BINDIR without a server",
			installed: map[string]string{"/opt/mine": "15.1 without initdb", debian + "/18/bin": "18.4"},
			bindir:    "/opt/mine", wantErr: "it has no program initdb",
		}, {
			name:      "PG_BINDIR too old",
			installed: map[string]string{"/opt/mine": "14.9"},
			bindir:    "/opt/mine", wantErr: "holds PostgreSQL 14, but Docket needs 15 or newer",
		}, {
			name:      "pg_config before PATH",
			installed: map[string]string{"/a": "16.0", "/b": "17.0", debian + "/18/bin": "18.4"},
			config:    "/a", path: "/b", wantDir: "/a", wantMajor: 16,
		}, {
			name:      "pg_config of a client without a server",
			installed: map[string]string{"/a": "16.0 without postgres", "/b": "17.0"},
			config:    "/a", path: "/b", wantDir: "/b", wantMajor: 17,
		}, {
			name:      "PATH before packages",
			installed: map[string]string{"/b": "15.0", debian + "/18/bin": "18.4"},
			path:      "/b", wantDir: "/b", wantMajor: 15,
		}, {
			name:      "an old one in PATH is skipped",
			installed: map[string]string{"/b": "13.0", "/usr/pgsql-16/bin": "16.4"},
			path:      "/b", wantDir: "/usr/pgsql-16/bin", wantMajor: 16,
		}, {
			name: "Homebrew",
			installed: map[string]string{
				"/opt/homebrew/opt/postgresql@16/bin": "16.4 (Homebrew)", "/opt/homebrew/opt/postgresql@17/bin": "17.0 (Homebrew)",
			},
			wantDir: "/opt/homebrew/opt/postgresql@17/bin", wantMajor: 17,
		}, {
			name:      "Postgres.app",
			installed: map[string]string{"/Applications/Postgres.app/Contents/Versions/17/bin": "17.0 (Postgres.app)"},
			wantDir:   "/Applications/Postgres.app/Contents/Versions/17/bin", wantMajor: 17,
		}, {
			name:      "only old ones",
			installed: map[string]string{debian + "/13/bin": "13.4"},
			wantErr:   "PostgreSQL 13 in ",
		}, {
			name:    "nothing",
			wantErr: "apt-get install postgresql",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := machine(t, tt.installed)
			f := finder{
				root: root,
				getenv: func(name string) string {
					if name == "PG_BINDIR" && tt.bindir != "" {
						return root + tt.bindir
					}
					return ""
				},
				lookPath: func(name string) (string, error) {
					switch {
					case name == "pg_config" && tt.config != "":
						path := filepath.Join(root, "pg_config")
						return path, os.WriteFile(path, []byte("#!/bin/sh\necho "+root+tt.config+"\n"), 0o755)
					case name == "postgres" && tt.path != "":
						link := filepath.Join(root, "link")
						return link, os.Symlink(filepath.Join(root, tt.path, name), link)
					}
					return "", errors.New("not found")
				},
			}
			got, err := f.find(tt.prefer)
			if tt.wantErr != "" {
				require.ErrorContains(t, err, tt.wantErr)
				if tt.bindir == "" {
					require.ErrorContains(t, err, "DATABASE_URL")
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, Binaries{Dir: root + tt.wantDir, Major: tt.wantMajor}, got)
		})
	}
}
