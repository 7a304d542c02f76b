package embedded

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// processAttributes puts a child in a process group of its own, so that only Docket receives the SIGINT of Ctrl-C and
// decides when the server stops. The kernel sends the signal onOrphan to the child when Docket dies.
func processAttributes(acct *account, onOrphan syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: acct.credential(), Pdeathsig: onOrphan}
}

// isPostmaster reports whether the process is a live server of the cluster: a postgres whose working directory that
// is. A zombie is not, nor is an unrelated process that got the id of a dead server.
func isPostmaster(pid int, pgdata string) bool {
	cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	cluster, err := os.Stat(pgdata)
	if err != nil || !os.SameFile(cwd, cluster) {
		return false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && bytes.HasPrefix(name, []byte("postgres"))
}

// backends lists the live processes of the cluster: those of its server and those that a dead server left running.
func backends(pgdata string) []int {
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a constant
	var pids []int
	for _, process := range processes {
		if pid, err := strconv.Atoi(filepath.Base(process)); err == nil && isPostmaster(pid, pgdata) {
			pids = append(pids, pid)
		}
	}
	return pids
}
