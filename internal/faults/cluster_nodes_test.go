//go:build cluster

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/require"
)

// cluster is etcd, three nodes of Patroni, and HAProxy. scripts/cluster ends their processes by the files in pids.
type cluster struct {
	t       *testing.T
	dir     string
	client  *http.Client // of Patroni's REST interface
	Etcd    string
	HAProxy string
	Nodes   []*node
}

// node is one of Patroni. The fields are for the templates of the configuration.
type node struct {
	cluster             *cluster
	Name, SQL, REST     string // SQL and REST are addresses
	Data, Sockets, Pass string
	patroni             *exec.Cmd
}

// startCluster returns when the nodes replicate synchronously.
func startCluster(t *testing.T, dir string) *cluster {
	t.Helper()
	c := &cluster{
		t: t, dir: dir, client: &http.Client{Timeout: 500 * time.Millisecond}, Etcd: freeAddress(t), HAProxy: freeAddress(t),
	}
	for i := range 3 {
		name := fmt.Sprintf("n%d", i+1)
		own := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Join(own, "sockets"), 0o700))
		c.Nodes = append(c.Nodes, &node{
			cluster: c, Name: name, SQL: freeAddress(t), REST: freeAddress(t),
			Data: filepath.Join(own, "data"), Sockets: filepath.Join(own, "sockets"), Pass: filepath.Join(own, "pgpass"),
		})
	}
	client, peer := "http://"+c.Etcd, "http://"+freeAddress(t)
	c.start("etcd", "etcd", "--name", "e", "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", client,
		"--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", "e="+peer)
	for _, n := range c.Nodes {
		n.write(patroniConfig, n.config(), struct {
			*node
			Etcd, Bin string
		}{n, c.Etcd, *pgBin})
		n.start()
	}
	config := filepath.Join(dir, "haproxy.cfg")
	c.Nodes[0].write(haproxyConfig, config, c)
	c.start("haproxy", "haproxy", "-db", "-f", config)
	c.awaitHealthy()
	return c
}

// start runs a program in a process group of its own, and notes its process id.
func (c *cluster) start(name, program string, args ...string) *exec.Cmd {
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(c.t, err)
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(c.t, cmd.Start())
	c.note(name, cmd)
	return cmd
}

func (c *cluster) pidFile(name string) string { return filepath.Join(c.dir, "pids", name) }

func (c *cluster) note(name string, cmd *exec.Cmd) {
	require.NoError(c.t, os.MkdirAll(filepath.Join(c.dir, "pids"), 0o700))
	require.NoError(c.t, os.WriteFile(c.pidFile(name), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600))
}

func (n *node) config() string { return filepath.Join(n.cluster.dir, n.Name+".yml") }

func (n *node) write(text *template.Template, file string, values any) {
	var out bytes.Buffer
	require.NoError(n.cluster.t, text.Execute(&out, values))
	require.NoError(n.cluster.t, os.WriteFile(file, out.Bytes(), 0o600))
}

// start starts Patroni, which starts PostgreSQL.
func (n *node) start() { n.patroni = n.cluster.start(n.Name, *python, "-m", "patroni", n.config()) }

// killPatroni kills it as kill -9 does. PostgreSQL lives on.
func (n *node) killPatroni() {
	_ = n.patroni.Process.Kill()
	_ = n.patroni.Wait()
	require.NoError(n.cluster.t, os.Remove(n.cluster.pidFile(n.Name)))
}

// postmaster is the first process of PostgreSQL.
func (n *node) postmaster() int {
	text, err := os.ReadFile(filepath.Join(n.Data, "postmaster.pid"))
	require.NoError(n.cluster.t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(n.cluster.t, err)
	return pid
}

// signalServer sends a signal to the processes of PostgreSQL, the first one first.
func (n *node) signalServer(signal syscall.Signal) {
	pid := n.postmaster()
	_ = syscall.Kill(pid, signal)
	children, _ := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(pid)).Output()
	for _, text := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(text)
		require.NoError(n.cluster.t, err)
		_ = syscall.Kill(child, signal)
	}
}

// isLeader asks the node's Patroni, as HAProxy does.
func (n *node) isLeader() bool {
	resp, err := n.cluster.client.Get("http://" + n.REST + "/primary")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// leader waits until a node leads, and is not the given one.
func (c *cluster) leader(not *node) *node {
	for deadline := time.Now().Add(backAfter); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for _, n := range c.Nodes {
			if n != not && n.isLeader() {
				return n
			}
		}
	}
	require.FailNow(c.t, "no node leads; the logs are in "+c.dir)
	return nil
}

// member is a node as Patroni describes it.
type member struct{ Name, Role, State string }

func (c *cluster) members() (members []member) {
	for _, n := range c.Nodes {
		resp, err := c.client.Get("http://" + n.REST + "/cluster")
		if err != nil {
			continue
		}
		var answer struct{ Members []member }
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_ = resp.Body.Close()
		if err == nil {
			return answer.Members
		}
	}
	return nil
}

// awaitHealthy waits until a node leads and the others follow, one of them synchronously.
func (c *cluster) awaitHealthy() {
	var members []member
	for deadline := time.Now().Add(backAfter); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		members = c.members()
		count := func(is func(member) bool) (n int) {
			for _, m := range members {
				if is(m) {
					n++
				}
			}
			return n
		}
		if count(func(m member) bool { return m.Role == "leader" && m.State == "running" }) == 1 &&
			count(func(m member) bool { return m.State == "streaming" }) == len(c.Nodes)-1 &&
			slices.ContainsFunc(members, func(m member) bool { return m.Role == "sync_standby" }) {
			return
		}
	}
	require.FailNow(c.t, "the cluster does not become healthy", "%v; the logs are in %s", members, c.dir)
}

// switchOver asks Patroni for another leader.
func (n *node) switchOver() {
	client := http.Client{Timeout: time.Minute}
	body := strings.NewReader(fmt.Sprintf(`{"leader": %q}`, n.Name))
	resp, err := client.Post("http://"+n.REST+"/switchover", "application/json", body)
	require.NoError(n.cluster.t, err)
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	require.Equal(n.cluster.t, http.StatusOK, resp.StatusCode, "%s", text)
}

// url is the database URL of some servers.
func url(database, parameters string, addresses ...string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?%s", strings.Join(addresses, ","), database, parameters)
}

// probe writes to the leader again and again, without Docket, until ctx ends. Each success is passed on.
func (c *cluster) probe(ctx context.Context, success func(began time.Time)) {
	for _, n := range c.Nodes {
		go n.probe(ctx, success)
	}
}
