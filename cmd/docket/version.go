package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// version is set by the linker when a release, or a copy of the source without its repository, is built.
var version string

// buildInfo describes how this program was built.
type buildInfo struct {
	Version  string `json:"version"`  // such as v1.2.3; development, if the build does not know one
	Commit   string `json:"commit"`   // empty: the build does not know it
	Date     string `json:"date"`     // of the commit, in RFC 3339; empty: as above
	Modified bool   `json:"modified"` // the source had changes that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readBuild combines the version that the linker has set with what the Go command has recorded, which may be nil. Without the
// former, the version is that of the tag on the commit, or one made of the last tag, the date and the commit.
func readBuild(linked string, recorded *debug.BuildInfo) buildInfo {
	found := buildInfo{Version: linked, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if recorded != nil {
		for _, setting := range recorded.Settings {
			switch setting.Key {
			case "vcs.revision":
				found.Commit = setting.Value
			case "vcs.time":
				found.Date = setting.Value
			case "vcs.modified":
				found.Modified = setting.Value == "true"
			}
		}
		if recorded.Main.Version != "(devel)" {
			found.Version = cmp.Or(found.Version, strings.TrimSuffix(recorded.Main.Version, "+dirty")) // Modified has it
		}
	}
	found.Version = cmp.Or(found.Version, "development")
	return found
}

func thisBuild() buildInfo {
	recorded, _ := debug.ReadBuildInfo()
	return readBuild(version, recorded)
}

// build names the version of this build of Docket.
func build() string { return thisBuild().Version }

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of Docket, and what it was built from",
		Long: `Print the version of Docket, the commit that it was built from with its date, whether the source had other changes, the
version of Go and the platform. A program that was built from a tag has the version of the tag. One that was built from a commit
after it has a version that sorts after the tag and contains the date and the commit.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), thisBuild())
			}
			return thisBuild().print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func (b buildInfo) print(out io.Writer) error {
	changes := ""
	if b.Modified {
		changes = ", with changes that are not committed"
	}
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(table, "docket\t%s\ncommit\t%s%s\ndate\t%s\ngo\t%s\nplatform\t%s\n",
		b.Version, cmp.Or(b.Commit, "unknown"), changes, cmp.Or(b.Date, "unknown"), b.Go, b.Platform)
	return table.Flush()
}
