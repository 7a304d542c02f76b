package docket_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// figure is a figure of the main query in a stored result of scripts/bench.
type figure struct {
	Group   string
	Name    string
	P50     float64 `json:"p50_us"`
	Over    float64 `json:"over_s"`
	Times   float64 `json:"times_select_1"`
	Buffers struct{ Generic, Custom int }
}

// mainQuery returns the figures of the main query by the number of URLs and by name, from the result that the page names.
func mainQuery(t *testing.T, page string) map[int]map[string]figure {
	t.Helper()
	named := regexp.MustCompile("`(results/[0-9a-f]+)….json`").FindStringSubmatch(page)
	require.NotNil(t, named)
	files, err := filepath.Glob(filepath.Join("benchmarks", named[1]+"*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	data, err := os.ReadFile(files[0])
	require.NoError(t, err)
	var result struct {
		Sizes []struct {
			URLs    int
			Figures []figure
		}
	}
	require.NoError(t, json.Unmarshal(data, &result))
	figures := map[int]map[string]figure{}
	for _, size := range result.Sizes {
		figures[size.URLs] = map[string]figure{}
		for _, f := range size.Figures {
			if f.Group == "main query" {
				figures[size.URLs][f.Name] = f
			}
		}
	}
	return figures
}

// rows returns the cells of the table whose first cell is title, by the first cell of each row.
func rows(t *testing.T, page, title string) map[string][]string {
	t.Helper()
	_, table, found := strings.Cut(page, "\n| "+title+" |")
	require.True(t, found, title)
	table, _, _ = strings.Cut(table, "\n\n")
	byTitle := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		byTitle[cells[0]] = cells[1:]
	}
	return byTitle
}

// requireRounded fails unless the printed number is the exact one, rounded to the decimals that are printed.
func requireRounded(t *testing.T, printed string, exact float64, what string) {
	t.Helper()
	number, err := strconv.ParseFloat(strings.ReplaceAll(printed, ",", ""), 64)
	require.NoError(t, err, what)
	_, decimals, _ := strings.Cut(printed, ".")
	require.InDelta(t, exact, number, 0.5*math.Pow10(-len(decimals))+1e-9, what)
}

var (
	microseconds = map[string]float64{"us": 1, "ms": 1e3, "s": 1e6}
	timeCell     = regexp.MustCompile(`^(> )?([\d.,]+) (us|ms|s)(?:, ([\d,]+)(?: buffers)?)?$`)
	timesCell    = regexp.MustCompile(`^(\d+), ([\d.]+)x(?: to ([\d.]+)x)?$`)
	sizes        = []int{10_000, 100_000, 1_000_000}
)

// TestFiguresOfMainQuery compares two tables of benchmarks/README.md, and what README.md says about them, with the stored result.
func TestFiguresOfMainQuery(t *testing.T) {
	t.Parallel()
	pages := docPages(t)
	page := pages["benchmarks/README.md"]
	figures := mainQuery(t, page)

	forms := rows(t, page, "main query, new user")
	for row, name := range map[string]string{
		"plain views, as in the reference": "form=plain/user=new",
		"plain views, mended":              "form=plain_mended/user=new",
		"the seed change":                  "form=seed_change/user=new",
		"`--ranking matview`":              "form=matview/user=new",
		"queue, cold":                      "form=queue/cursor=cold/user=new",
		"queue, warm":                      "form=queue/cursor=warm/user=new",
		"`SELECT 1` in the same run":       "SELECT 1",
	} {
		require.Len(t, forms[row], len(sizes), row)
		for i, cell := range forms[row] {
			measured, what := figures[sizes[i]][name], fmt.Sprintf("%s at %d: %s", row, sizes[i], cell)
			printed := timeCell.FindStringSubmatch(cell)
			require.NotNil(t, printed, what)
			if printed[1] != "" {
				requireRounded(t, printed[2], measured.Over*1e6/microseconds[printed[3]], what)
				continue
			}
			requireRounded(t, printed[2], measured.P50/microseconds[printed[3]], what)
			if printed[4] != "" {
				requireRounded(t, printed[4], float64(max(measured.Buffers.Generic, measured.Buffers.Custom)), what)
			}
		}
	}

	warm := rows(t, page, "queue, warm: buffers, x `SELECT 1`")
	var buffers []int
	for row, users := range map[string][]string{
		"new":                              {"new"},
		"casual, 66 done":                  {"casual-66"},
		"heavy, 5,000 done":                {"heavy-5000"},
		"heavy, 50,000 done":               {"heavy-50000"},
		"none left":                        {"none-left"},
		"batch of 50, the three of them":   {"new/batch=50", "heavy-5000/batch=50", "heavy-50000/batch=50"},
		"batch of half, the three of them": {"new/batch=half", "heavy-5000/batch=half", "heavy-50000/batch=half"},
		"session, new":                     {"session-new"},
		"session, 5,000 done":              {"session-heavy-5000"},
		"follows 3 locations":              {"follows-3"},
		"follows 50":                       {"follows-50"},
		"follows 50, 5,000 done":           {"follows-50/heavy-5000"},
		"follows 50, all done":             {"follows-50/done"},
	} {
		require.Len(t, warm[row], len(sizes), row)
		for i, cell := range warm[row] {
			var times []float64
			most := 0
			what, printed := fmt.Sprintf("%s at %d: %s", row, sizes[i], cell), timesCell.FindStringSubmatch(cell)
			require.NotNil(t, printed, what)
			for _, user := range users {
				measured := figures[sizes[i]]["form=queue/cursor=warm/user="+user]
				worst := max(measured.Buffers.Generic, measured.Buffers.Custom)
				require.InDelta(t, 2.5, measured.Times, 0.65, "two to three times the time of SELECT 1")
				times, most = append(times, measured.Times), max(most, worst)
				if sizes[i] == 1_000_000 && (user == "none-left" || !strings.Contains(user, "/batch=")) {
					buffers = append(buffers, worst)
				}
			}
			require.Equal(t, printed[1], strconv.Itoa(most), what)
			requireRounded(t, printed[2], slices.Min(times), what)
			requireRounded(t, max(printed[3], printed[2]), slices.Max(times), what)
		}
	}

	oneLine := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	requireText := func(page, text string) {
		t.Helper()
		require.True(t, strings.Contains(oneLine(pages[page]), text), "%s does not say: %s", page, text)
	}
	requireText("README.md", fmt.Sprintf("reads %d to %d pages of the database", slices.Min(buffers), slices.Max(buffers)))
	cold := func(user string) string {
		ms := figures[1_000_000]["form=queue/cursor=cold/user="+user].P50 / 1000
		return strconv.FormatFloat(ms, 'g', 2, 64) + " ms"
	}
	some, many := cold("heavy-5000"), cold("heavy-50000")
	requireText("README.md", "at a million URLs, "+some+" with 5,000 URLs done and "+many+" with 50,000")
	requireText("benchmarks/README.md", some+" for 5,000 URLs, "+many+" for 50,000, 721 ms for all of them at 1M")
	require.InDelta(t, 721, figures[1_000_000]["form=queue/cursor=cold/user=none-left"].P50/1000, 5)
}

// constants are the figures on the pages that are constants in the code: what a page says, and the expressions that must match in
// the files of a folder, without its tests.
var constants = []struct {
	page, text, folder string
	expressions        []string
}{
	{"README.md", "(15 or newer)", "internal/postgres/embedded", []string{`= 15\b`}},
	{"README.md", "at least 32 bytes", "internal/auth", []string{`MinKeyBytes = 32\b`}},
	{"README.md", "for at most 10 seconds", "internal/annotation", []string{`= 10 \* time\.Second`}},
	{"docs/operations.md", "within 10 seconds", "internal/annotation", []string{`= 10 \* time\.Second`}},
	{"docs/operations.md", "repeated up to five times within minutes", "internal/jobs",
		[]string{`Backoff: \[\]time\.Duration\{5 \* time\.Second, 10 \* time\.Second, 20 \* time\.Second, 20 \* time\.Second, 20 \* time\.Second\}`}},
	{"docs/operations.md", "one for each minute in which", "internal/consensus", []string{`taskPeriod = time\.Minute`}},
	{"docs/operations.md", "deletes tasks after 7 days", "internal/upkeep", []string{`keepTasks = 7 \* 24 \* time\.Hour`}},
	{"docs/operations.md", "`--lock-timeout` (30 s)", "internal/schemacmd", []string{`30 ?\* ?time\.Second`}},
	{"docs/moving-from-the-reference.md", "for up to 10 seconds", "internal/annotation", []string{`= 10 \* time\.Second`}},
	{"docs/moving-from-the-reference.md", "about a hundred at most", "internal/contract", []string{`maxFaults = 100\b`}},
	{"docs/moving-from-the-reference.md", "nested over 32 levels", "internal/contract", []string{`= 32\b`}},
	{"docs/moving-from-the-reference.md", "a body over 1 MiB", "api", []string{`= 1 << 20\b`}},
	{"docs/moving-from-the-reference.md", "a token over 8 KiB", "internal/auth", []string{`= 8 << 10\b`}},
	{"docs/moving-from-the-reference.md", "100 per page, by id", "internal/page", []string{`= 100\b`}},
	{"docs/moving-from-the-reference.md", "id form over 2,000 bytes", "internal/urlform", []string{`= 2000\b`}},
	{"docs/moving-from-the-reference.md", "8,192 characters, descriptions and other long texts 10,000, `query` of a search 500", "api",
		[]string{`url: \{ type: string, maxLength: 8192\b`, `maxLength: 10000\b`, `maxLength: 500\b`}},
	{"docs/decisions/live-queue.md", "than a limit (256)", "internal/ranking", []string{`= 256\b`}},
	{"docs/decisions/live-queue.md", "at least 64 done URLs", "internal/ranking", []string{`= 64\b`}},
	{"docs/decisions/one-text-for-the-next-url.md", "from 64 done URLs on", "internal/ranking", []string{`= 64\b`}},
	{"benchmarks/README.md", "fewer than 64 done URLs", "internal/ranking", []string{`= 64\b`}},
	{"docs/decisions/names-as-you-type.md", "stops at the tenth", "internal/catalog", []string{`= 10\b`}},
	{"docs/decisions/names-as-you-type.md", "are 256 bytes long", "sql/schema", []string{`siglen = 256\b`}},
	{"docs/decisions/exports.md", "A page is 5,000 lines of at most 1,000 URLs.", "internal/export",
		[]string{`= 5000\b`, `= 1000\b`}},
	{"docs/decisions/exports.md", "the lines of 1,000 validated URLs", "internal/export", []string{`= 1000\b`}},
	{"docs/decisions/exports.md", "At most a quarter of the connections", "internal/export", []string{`= 4\b`}},
	{"docs/decisions/exports.md", "30 seconds for each 64 KiB", "api", []string{`= 30 \* time\.Second`, `= 64 << 10\b`}},
	{"docs/decisions/exports.md", "may take 30 minutes", "api", []string{`= 30 \* time\.Minute`}},
	{"docs/decisions/suggestions-of-robots.md", "parts of 1,000 lines", "internal/robots", []string{`partLines = 1000\b`}},
	{"docs/decisions/imports-in-parts.md", "have 1,000 lines", "internal/robots", []string{`partLines = 1000\b`}},
	{"docs/decisions/imports-in-parts.md", "150 ms each", "internal/postgres", []string{`partTime = 150 \* time\.Millisecond`}},
	{"docs/decisions/imports-in-parts.md", "waits 0.5 s for a lock", "internal/postgres", []string{`partLockTimeout = "500ms"`}},
	{"docs/decisions/imports-in-parts.md", "After two minutes", "internal/postgres", []string{`partPause = 200 \* time\.Millisecond`, `partAttempts = 170\b`}},
	{"docs/decisions/imports-in-parts.md", "after 1,000 changed rows", "internal/imports", []string{`firstAnalyze = 1000\b`}},
	{"docs/decisions/river.md", "reads the table every 5 seconds", "internal/jobs", []string{`Tick: 5 \* time\.Second`}},
	{"docs/decisions/river.md", "here after a minute", "internal/jobs", []string{`Rescue: time\.Minute`}},
	{"docs/decisions/river.md", "repeated a few times within two minutes", "internal/jobs",
		[]string{`Backoff: \[\]time\.Duration\{5 \* time\.Second, 10 \* time\.Second, 20 \* time\.Second, 20 \* time\.Second, 20 \* time\.Second\}`}},
	{"docs/operations.md", "three jobs run at a time", "cmd/docket", []string{`connsPerJob = 2\b`, `connsBesides = 3\b`}},
	{"docs/decisions/idempotency-keys.md", "for up to 5 seconds", "internal/postgres", []string{`lookUpTimeout = 5 \* time\.Second`}},
	{"docs/decisions/idempotency-keys.md", "After a second it", "internal/postgres", []string{`endAfter += time\.Second`}},
	{"docs/decisions/idempotency-keys.md", "for 24 hours", "internal/idempotency", []string{`= 24 \* time\.Hour`}},
	{"docs/decisions/idempotency-keys.md", "About every twentieth key, by its digest, deletes up to a hundred expired ones", "internal/idempotency",
		[]string{`= 20\b`, `= 100\b`}},
}

// TestFiguresOfCode shows that the figures on the pages are those of the code.
func TestFiguresOfCode(t *testing.T) {
	t.Parallel()
	pages := docPages(t)
	for _, constant := range constants {
		require.True(t, strings.Contains(strings.Join(strings.Fields(pages[constant.page]), " "), constant.text),
			"%s does not say: %s", constant.page, constant.text)
		var source strings.Builder
		files, err := filepath.Glob(constant.folder + "/*.*")
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".gen.go") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			source.Write(text)
		}
		for _, expression := range constant.expressions {
			require.True(t, regexp.MustCompile(expression).MatchString(source.String()),
				"%s says %q, and %s has nothing like %s", constant.page, constant.text, constant.folder, expression)
		}
	}
}
