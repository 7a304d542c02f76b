package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"docket/internal/convert"
	"docket/internal/postgres"
	"docket/internal/submissions"
	"docket/internal/urlform"
)

func urlsCommand(cfg *config) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "urls",
		Aliases: []string{"url"},
		Short:   "Examine the stored URLs",
		Args:    cobra.NoArgs,
	}
	cmd.AddCommand(urlsDuplicatesCommand(cfg), urlsHistoryCommand(cfg))
	return cmd
}

// shownLikeness is how a difference is printed; the JSON output has its name.
var shownLikeness = map[urlform.Likeness]string{
	urlform.InvisibleCharacters: "invisible characters at the ends",
	urlform.Punycode:            "host name in Punycode",
	urlform.HostCase:            "letter case of the host",
	urlform.TrailingDot:         "dot at the end of the host",
	urlform.DefaultPort:         "default port",
	urlform.WWW:                 "www.",
	urlform.PercentEncoding:     "needless percent-encoding",
	urlform.TrackingParameters:  "tracking parameters",
	urlform.EmptyQuery:          "empty query",
}

func shownLikenesses(list []urlform.Likeness) string {
	return strings.Join(convert.Each(list, func(l urlform.Likeness) string { return shownLikeness[l] }), ", ")
}

// likelyDuplicates is a line of the JSON output.
type likelyDuplicates struct {
	Rules []string    `json:"rules"`
	Count int         `json:"count"`
	URLs  []storedURL `json:"urls"`
}

type storedURL struct {
	URLID int32  `json:"url_id"`
	URL   string `json:"url"`
}

func urlsDuplicatesCommand(cfg *config) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "duplicates",
		Short: "List pages that are probably stored twice, and change nothing",
		Long: fmt.Sprintf(`List groups of URLs that probably lead to the same page, by what they differ in:
%s.

Groups with one difference come first. Nothing is changed: whether two URLs are the same page is for a person to judge, and
DELETE /url/{url_id} deletes one.

Of a group, at most %d URLs are listed. The memory does not grow with the number of URLs; temporary files in $TMPDIR take about
as much as the URLs.`, shownLikenesses(urlform.Likenesses()), submissions.MostListed),
		Example: `  docket urls duplicates --json | jq 'select(.rules == ["www"])'`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cfg.withPool(cmd, func(ctx context.Context, pool *postgres.Pool) error {
				out := &duplicatesOutput{out: cmd.OutOrStdout(), json: asJSON}
				bar := newProgressBar("comparing")
				defer bar.finish()
				progress := func(done, total int64) {
					if bar.report(done, total); done == total {
						bar.finish()
					}
				}
				err := submissions.New(pool).EachLikelyDuplicates(ctx, progress, out.group)
				if errors.Is(err, syscall.EPIPE) {
					return errors.New("the program that reads the output closed it before the end")
				}
				if err != nil {
					return err
				}
				return out.end()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line for each group")
	return cmd
}

// duplicatesOutput prints groups as they are found.
type duplicatesOutput struct {
	out          io.Writer
	json         bool
	title        string
	groups, urls int
}

func (o *duplicatesOutput) group(group submissions.LikelyDuplicates) error {
	if o.json {
		return writeJSONLine(o.out, likelyDuplicates{
			Rules: convert.Each(group.Differences, urlform.Likeness.String),
			Count: group.Count,
			URLs:  convert.Each(group.URLs, func(u submissions.StoredURL) storedURL { return storedURL{u.ID, u.URL} }),
		})
	}
	o.groups++
	o.urls += group.Count
	var text strings.Builder
	title := shownLikenesses(group.Differences)
	if title != o.title {
		o.title = title
		fmt.Fprintf(&text, "%s:\n", title)
	}
	for _, url := range group.URLs {
		fmt.Fprintf(&text, "%10d  %s\n", url.ID, visible(url.URL))
	}
	if more := group.Count - len(group.URLs); more > 0 {
		fmt.Fprintf(&text, "            and %d more\n", more)
	}
	_, err := fmt.Fprintln(o.out, text.String())
	return err
}

func (o *duplicatesOutput) end() error {
	if o.json {
		return nil
	}
	_, err := fmt.Fprintf(o.out, "%d groups, %d URLs\n", o.groups, o.urls)
	return err
}

// visible quotes a text with characters that a terminal does not show, or obeys.
func visible(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return strconv.QuoteToGraphic(text)
	}
	return text
}
