package postgres

import (
	"fmt"
	"os"
	"syscall"
)

// processAttributes detach a child from the terminal, so that Ctrl-C reaches Docket alone and Docket decides
// when the server stops, and have the kernel send it onOrphan when Docket dies without deciding anything.
func processAttributes(acct *account, onOrphan syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: acct.credential(), Pdeathsig: onOrphan}
}

// isPostmaster reports whether the process is a live server of the cluster: it works in that directory. A
// zombie, or a stranger that got a dead server's process id, does not.
func isPostmaster(pid int, pgdata string) bool {
	cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	cluster, err := os.Stat(pgdata)
	return err == nil && os.SameFile(cwd, cluster)
}
