//go:build unix && !linux

package embedded

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// processAttributes detach a child from the terminal, so that Ctrl-C reaches Docket alone and Docket decides
// when the server stops. Nothing here tells the child that Docket was killed: such a server runs on until the
// next start on its directory stops it.
func processAttributes(acct *account, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: acct.credential()}
}

// isPostmaster reports whether the process is a live server of the cluster, going by its command line.
func isPostmaster(pid int, pgdata string) bool {
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "postgres") && strings.Contains(string(out), pgdata)
}

// backends knows nothing here: PostgreSQL itself refuses to start while backends of a killed server live.
func backends(string) []int { return nil }
