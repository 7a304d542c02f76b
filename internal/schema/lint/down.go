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

// downDir holds the down files, each under the name of its migration.
const downDir = "down"

// checkDowns runs each selected file, its down file and the file again, and compares the database before with that after the
// down file. It stops without a problem at a file that cannot run, which analyze reports.
func checkDowns(ctx context.Context, opts Options, before, selected []*file) (problems []problem, err error) {
	downs := make(map[*file]*file, len(selected))
	for _, f := range selected {
		down, err := readFile(opts.Migrations, path.Join(downDir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, problem{file: f, code: codeNoDown, text: fmt.Sprintf(
				"This file has no down file: %s does not exist", path.Join(downDir, f.Name()))})
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
	err = opts.Server.With(ctx, func(db *scratch.Database) error {
		if broken, err := replay(ctx, db, before); broken != nil || err != nil {
			return err
		}
		for _, f := range selected {
			found, ok, err := upDownUp(ctx, db, f, downs[f])
			problems = append(problems, found...)
			if err != nil || !ok {
				return err
			}
		}
		return nil
	})
	return problems, err
}

// upDownUp runs a file and, if it has a down file, that one and the file again. It is ok when the next file can run on the
// database.
func upDownUp(ctx context.Context, db *scratch.Database, f, down *file) (problems []problem, ok bool, err error) {
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
			"%s and then this file do not restore the earlier schema (- before, + after): %s",
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

// raised is the SQLSTATE of RAISE EXCEPTION, with which a down file reports that the migration cannot be undone.
const raised = "P0001"

// extensionLeft reports whether a fact is about an extension that the down file keeps. On other databases the extension may have
// existed before, and other programs may use it.
func extensionLeft(line string) bool { return strings.HasPrefix(line, "+ extension ") }

// shorten keeps the first lines and adds the number of the others.
func shorten(lines []string) []string {
	if len(lines) <= shownFacts {
		return lines
	}
	return append(slices.Clone(lines[:shownFacts]), fmt.Sprintf("and %d more", len(lines)-shownFacts))
}

const shownFacts = 10
