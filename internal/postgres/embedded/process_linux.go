package embedded

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// processAttributes detach a child from the terminal, so that Ctrl-C reaches Docket alone and Docket decides
// when the server stops, and have the kernel send it onOrphan when Docket dies without deciding anything.
func processAttributes(acct *account, onOrphan syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: acct.credential(), Pdeathsig: onOrphan}
}

// isPostmaster reports whether the process is a live server of the cluster: a postgres that works in that
// directory. A zombie, or a stranger that got a dead server's process id, does not.
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

// backends lists the live processes of the cluster, its server's and those it left behind.
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
