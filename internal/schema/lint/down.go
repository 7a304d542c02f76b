package lint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"docket/internal/schema/scratch"
	"docket/internal/schema/state"
)

// downDir is where the files that lead back stand, beside the migrations, each under the name of the one it reverses.
const downDir = "down"

// reverse runs each judged file, the one that leads back from it and the file again, and compares what the database holds
// before with what it holds after. It stops without a word at a file that cannot run: analyze says so.
func reverse(ctx context.Context, opts Options, before, judged []*file) (problems []problem, err error) {
	downs := make(map[*file]*file, len(judged))
	for _, f := range judged {
		down, err := readFile(opts.Migrations, path.Join(downDir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, problem{file: f, code: codeNoDown, text: fmt.Sprintf(
				"No file leads back from this one: %s does not exist", path.Join(downDir, f.Name()))})
			continue
		}
		if err != nil {
			return nil, err
		}
		downs[f] = down
	}
	if len(downs) == 0 {
		return problems, nil
	}
	err = withDatabase(ctx, opts.Server, func(db *scratch.Database) error {
		if broken, err := replay(ctx, db, before); broken != nil || err != nil {
			return err
		}
		for _, f := range judged {
			found, ok, err := thereAndBack(ctx, db, f, downs[f])
			problems = append(problems, found...)
			if err != nil || !ok {
				return err
			}
		}
		return nil
	})
	return problems, err
}

// thereAndBack runs a file, and if there is one the file that leads back and the first once more. It is ok when the database
// is fit for the next file.
func thereAndBack(ctx context.Context, db *scratch.Database, f, down *file) (problems []problem, ok bool, err error) {
	before, err := state.Facts(ctx, db.DB)
	if err != nil {
		return nil, false, err
	}
	if broken, err := runWhole(ctx, db, f); broken != nil || err != nil {
		return nil, false, err
	}
	if down == nil {
		return nil, true, nil
	}
	broken, err := runWhole(ctx, db, down)
	if err != nil {
		return nil, false, err
	}
	if broken != nil {
		// Its transaction was rolled back, so the database is as the file made it.
		broken.code = codeDownFails
		if broken.refusal == raised {
			broken.code = codeDownRefuses
		}
		return []problem{*broken}, true, nil
	}
	after, err := state.Facts(ctx, db.DB)
	if err != nil {
		return nil, false, err
	}
	if lines := slices.DeleteFunc(state.Difference(before, after), extensionLeft); len(lines) > 0 {
		return []problem{{file: down, code: codeDownDiffers, text: fmt.Sprintf(
			"%s and this file after it do not lead back to what was there before it (- before, + after): %s",
			f.Name(), strings.Join(shorten(lines), "; "))}}, false, nil
	}
	broken, err = runWhole(ctx, db, f)
	if broken != nil {
		broken.code, broken.file = codeDownFails, down
		broken.text = fmt.Sprintf("After this file, %s cannot run again: %s", f.Name(), broken.text)
		broken.atLine = 1
		return []problem{*broken}, false, nil
	}
	return nil, err == nil, err
}

// raised is the SQLSTATE of RAISE EXCEPTION, by which a down file says that there is no way back.
const raised = "P0001"

// extensionLeft tells whether a fact is about an extension that stays: it may have been there before the file, and others may
// use it.
func extensionLeft(line string) bool { return strings.HasPrefix(line, "+ extension ") }

// shorten leaves the first lines and says how many there are besides.
func shorten(lines []string) []string {
	if len(lines) <= shownFacts {
		return lines
	}
	return append(slices.Clone(lines[:shownFacts]), fmt.Sprintf("and %d more", len(lines)-shownFacts))
}

const shownFacts = 10
