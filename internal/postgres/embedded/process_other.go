//go:build unix && !linux

package embedded

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// processAttributes puts a child in a process group of its own, so that only Docket receives the SIGINT of Ctrl-C and
// decides when the server stops. On these systems the child gets no signal when Docket is killed: the server runs
// until the next Start on its directory stops it.
func processAttributes(acct *account, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: acct.credential()}
}

// isPostmaster reports whether the process is a live server of the cluster, judged by its command line.
func isPostmaster(pid int, pgdata string) bool {
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), pgdata)
}

// backends lists nothing on these systems: PostgreSQL itself refuses to start while backends of a killed server live.
func backends(string) []int { return nil }
