package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"docket/internal/consensus"
	"docket/internal/dbtest"
)

// instances are processes of docket on one database.
type instances struct {
	*system
	commands  [][]string // of each process
	processes []*exec.Cmd
}

// startInstances starts the server, fills the database, and starts a process for each command.
func startInstances(t *testing.T, commands ...[]string) *instances {
	t.Helper()
	s := &instances{system: newSystem(t), commands: commands}
	s.startServer()
	t.Cleanup(func() { require.NoError(t, s.server.Stop(context.Background())) })
	s.url = s.server.URL()
	s.fill(playedURLs)
	s.startAll()
	return s
}

// startAll starts the processes, which end with the test. Each serve gets an address.
func (s *instances) startAll() {
	s.processes = make([]*exec.Cmd, len(s.commands))
	for i, command := range s.commands {
		if command[0] == "serve" {
			address := freeAddress(s.t)
			s.commands[i] = append(command, "--addr", address)
			s.addresses = append(s.addresses, "http://"+address)
		}
		s.start(i)
	}
	s.t.Cleanup(func() {
		for i := range s.processes {
			s.kill(i)
		}
	})
	s.awaitReady()
}

// freeAddress returns an address whose port no connection gets by itself while the process that listens there is started again:
// systems take the ports of clients from 32768 on.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err == nil {
			require.NoError(t, listener.Close())
			return listener.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func (s *instances) start(i int) {
	cmd := s.command(s.url, append(slices.Clone(s.commands[i]), "--max-conns", "8")...)
	cmd.Stdout, cmd.Stderr = s.logs, s.logs
	require.NoError(s.t, cmd.Start())
	s.processes[i] = cmd
}

// kill kills a process as kill -9 does.
func (s *instances) kill(i int) {
	require.NoError(s.t, s.processes[i].Process.Kill())
	_ = s.processes[i].Wait()
}

// playedURLs is how many URLs the sample data have.
const playedURLs = "60"

// play lets simulated annotators annotate through the servers until there are so many facts more; 0 means as many as possible.
// Meanwhile it kills a process, when some answers are stored, and starts it again. It returns how many answers were acknowledged.
func (s *instances) play(kill, facts int) (acknowledged int) {
	cmd := s.command(s.url, "seed", "answers", "--urls", playedURLs, "--annotators", "8", "--sessions", "0.25", "--accuracy", "0.9",
		"--at-once", "3", "--facts", strconv.Itoa(facts), "--wait", "2m", "--json", "--server", strings.Join(s.addresses, ","))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	before := s.answers()
	require.NoError(s.t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for s.answers() < before+answersBeforeKill {
		select {
		case err := <-ended:
			require.NoError(s.t, err, stderr.String())
			s.t.Fatalf("the annotators ended after fewer than %d answers: %s", answersBeforeKill, &stdout)
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.kill(kill)
	s.start(kill)
	require.NoError(s.t, <-ended, "%s", &stderr)
	var result struct {
		Answers, Facts int
		Validation     struct{ Median, Most float64 } `json:"validation_ms"`
	}
	require.NoError(s.t, json.Unmarshal(stdout.Bytes(), &result), stdout.String())
	s.t.Logf("docket %s was killed: %+v", s.commands[kill][0], result)
	return result.Answers
}

const answersBeforeKill = 8

// answers counts the stored ones, with those of the sample data.
func (s *instances) answers() int {
	conn := s.connect()
	defer conn.Close(context.Background())
	return dbtest.Value[int](s.t, conn, `SELECT ((SELECT count(*) FROM annotation__url_type__user)
		+ (SELECT count(*) FROM annotation__url_type__anon))::int`)
}

// TestConsensusOnSeveralInstances kills processes of one database while annotators work, and requires that each URL on which they
// agree is validated, one time, and by its votes, and that no answer is lost.
func TestConsensusOnSeveralInstances(t *testing.T) {
	t.Parallel()
	for name, commands := range map[string][][]string{
		"each serves and works": {{"serve"}, {"serve"}, {"serve"}},
		"one works, two serve":  {{"serve", "--jobs=false"}, {"serve", "--jobs=false"}, {"work"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startInstances(t, commands...)
			before, acknowledged := s.answers(), 0
			for kill := range commands {
				acknowledged += s.play(kill, 8)
			}
			acknowledged += s.play(len(commands)-1, 0)
			require.Equal(t, acknowledged, s.answers()-before, "answers that are stored")
			s.run("queue", "verify")
			s.requireFacts()
		})
	}
}

// requireFacts compares the facts with the votes that are stored.
func (s *instances) requireFacts() {
	conn := s.connect()
	defer conn.Close(context.Background())
	rule, err := consensus.CurrentRule(s.t.Context(), conn)
	require.NoError(s.t, err)
	rows, err := conn.Query(s.t.Context(), `
		SELECT url_id, votes, ARRAY[url_type::text, coalesce(agency_id::text, ''), coalesce(location_id::text, ''),
				coalesce(record_type::text, ''), coalesce(name, '')],
			ARRAY[
				(SELECT string_agg(type::text, ',') FROM flag_url_validated x WHERE x.url_id = f.url_id),
				(SELECT coalesce(string_agg(agency_id::text, ','), '') FROM link_agencies__urls x WHERE x.url_id = f.url_id),
				(SELECT coalesce(string_agg(location_id::text, ','), '') FROM link_locations__urls x WHERE x.url_id = f.url_id),
				(SELECT coalesce(string_agg(record_type::text, ','), '') FROM url_record_type x WHERE x.url_id = f.url_id),
				(SELECT coalesce(name, '') FROM urls WHERE id = f.url_id)],
			(SELECT count(*)::int FROM flag_url_auto_validated x WHERE x.url_id = f.url_id),
			(SELECT count(*)::int FROM link_tasks__urls x JOIN task_runs r USING (task_id) WHERE x.url_id = f.url_id AND r.job = $1)
		FROM consensus_facts f`, consensus.JobName)
	require.NoError(s.t, err)
	decided := map[int32]bool{}
	for rows.Next() {
		var (
			urlID        int32
			document     []byte
			fact, stored []string
			flags, tasks int
		)
		require.NoError(s.t, rows.Scan(&urlID, &document, &fact, &stored, &flags, &tasks))
		var votes consensus.Votes
		require.NoError(s.t, json.Unmarshal(document, &votes))
		want, agreed := rule.Decide(votes)
		url := fmt.Sprintf("URL %d", urlID)
		assert.True(s.t, agreed, "%s: the votes of its fact make none", url)
		assert.Equal(s.t, []string{want.URLType, want.Agency, want.Location, want.RecordType, want.Name}, fact, "%s: votes and fact", url)
		assert.Equal(s.t, fact, stored, "%s: fact, and what is stored of the URL", url)
		assert.Equal(s.t, 1, flags, "%s: validated automatically", url)
		assert.Equal(s.t, 1, tasks, "%s: runs that validated it", url)
		decided[urlID] = true
	}
	require.NoError(s.t, rows.Err())
	require.Greater(s.t, len(decided), 30)

	open := dbtest.List(s.t, conn, "SELECT url_id::text FROM annotation_queue WHERE eligible ORDER BY url_id")
	ids := make([]int32, len(open))
	for i, text := range open {
		id, err := strconv.ParseInt(text, 10, 32)
		require.NoError(s.t, err)
		ids[i] = int32(id)
		assert.False(s.t, decided[ids[i]], "URL %d is validated, and offered", id)
	}
	votes, err := consensus.LoadVotes(s.t.Context(), conn, ids)
	require.NoError(s.t, err)
	for id, votes := range votes {
		fact, agreed := rule.Decide(votes)
		assert.False(s.t, agreed, "URL %d is not validated as %v", id, fact)
	}
	assert.Empty(s.t, dbtest.List(s.t, conn, "SELECT url_id || ': ' || error FROM url_task_error ORDER BY 1"), "errors about URLs")
}
