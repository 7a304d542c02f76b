package schema

import (
	"testing"
	"testing/fstest"

	"ariga.io/atlas/sql/migrate"
	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	const a, b, c = "20260101000000", "20260102000000", "20260103000000"
	mem := fstest.MapFS{}
	hashes := map[string]string{}
	{
		var dir migrate.MemDir
		for _, version := range []string{a, b, c} {
			require.NoError(t, dir.WriteFile(version+"_x.sql", []byte("SELECT "+version+";")))
		}
		sum, err := dir.Checksum()
		require.NoError(t, err)
		require.NoError(t, migrate.WriteSumFile(&dir, sum))
		for _, h := range sum {
			content, err := dir.Open(h.N)
			require.NoError(t, err)
			require.NoError(t, content.Close())
			hashes[h.N[:14]] = h.H
			mem[h.N] = &fstest.MapFile{Data: []byte("SELECT " + h.N[:14] + ";")}
		}
		text, err := sum.MarshalText()
		require.NoError(t, err)
		mem["atlas.sum"] = &fstest.MapFile{Data: text}
	}
	dir, err := readDirectory(mem, Advice{})
	require.NoError(t, err)

	done := func(version string) *migrate.Revision {
		return &migrate.Revision{Version: version, Description: "x", Type: migrate.RevisionTypeExecute,
			Applied: 1, Total: 1, Hash: hashes[version], OperatorVersion: "Docket v2"}
	}
	tests := map[string]struct {
		applied []*migrate.Revision
		state   State
		version string
		pending []string
		err     error
		says    string
	}{
		"new database": {
			nil, Pending, "", []string{a, b, c}, ErrPending, "docket migrate apply",
		},
		"in order": {
			[]*migrate.Revision{done(a), done(b), done(c)}, OK, c, nil, nil, "",
		},
		"behind": {
			[]*migrate.Revision{done(a)}, Pending, a, []string{b, c}, ErrPending, b + "_x.sql, " + c + "_x.sql",
		},
		"edited, the first one named": {
			[]*migrate.Revision{
				done(a),
				with(done(b), func(r *migrate.Revision) { r.Hash = "other" }),
				with(done(c), func(r *migrate.Revision) { r.Hash = "other" }),
			}, Edited, c, nil, ErrEdited, b + "_x.sql is not what was applied",
		},
		"ahead": {
			[]*migrate.Revision{done(a), done(b), done(c), done("20270101000000")},
			Ahead, "20270101000000", nil, ErrAhead, "20270101000000_x, applied by Docket v2; it is newer than all known ones",
		},
		"ahead in the middle": {
			[]*migrate.Revision{done(a), done("20260101120000"), done(b)}, Ahead, b, nil, ErrAhead,
			"20260101120000_x, applied by Docket v2; some known ones are newer: the file was deleted",
		},
		"out of order": {
			[]*migrate.Revision{done(a), with(done(c), func(r *migrate.Revision) { r.Hash = "other" })},
			OutOfOrder, c, nil, ErrOutOfOrder, b + "_x.sql was never applied",
		},
		"unfinished": {
			[]*migrate.Revision{done(a), with(done(b), func(r *migrate.Revision) {
				r.Applied, r.Total, r.Error = 2, 5, "boom"
			})}, Unfinished, a, []string{b, c}, ErrUnfinished, `ran 2 of 5 statements; the next one failed with "boom"`,
		},
		"unfinished and edited is mended by going on": {
			[]*migrate.Revision{with(done(a), func(r *migrate.Revision) { r.Applied, r.Total, r.Hash = 0, 1, "other" })},
			Unfinished, "", []string{a, b, c}, ErrUnfinished, "ran 0 of 1",
		},
		"a baseline covers the migrations before it": {
			[]*migrate.Revision{{Version: b, Type: migrate.RevisionTypeBaseline}, done(c)}, OK, c, nil, nil, "",
		},
		"baseline only": {
			[]*migrate.Revision{{Version: b, Type: migrate.RevisionTypeBaseline}}, Pending, b, []string{c}, ErrPending, c,
		},
		"set by hand without a checksum": {
			[]*migrate.Revision{with(done(a), func(r *migrate.Revision) { r.Type, r.Hash = migrate.RevisionTypeResolved, "" }),
				done(b), done(c)}, OK, c, nil, nil, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, pending := compare(dir.files, test.applied, Advice{Program: "docket"})
			require.Equal(t, test.state, status.State)
			require.Equal(t, test.version, status.Version)
			require.Len(t, status.Applied, len(test.applied))
			require.Len(t, pending, len(test.pending))
			require.Len(t, status.Pending, len(test.pending))
			for i, version := range test.pending {
				require.Equal(t, version, pending[i].Version())
				require.Equal(t, version+"_x.sql", status.Pending[i])
			}
			require.ErrorIs(t, status.Err(), test.err)
			if test.says != "" {
				require.ErrorContains(t, status.Err(), test.says)
			}
		})
	}
}

func with(r *migrate.Revision, change func(*migrate.Revision)) *migrate.Revision {
	change(r)
	return r
}
