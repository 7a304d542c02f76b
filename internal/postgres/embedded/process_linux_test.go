package embedded

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The kernel kills the child when the thread that forked it ends. A goroutine that ends while it is locked to its
// thread ends the thread.
func TestChildOutlivesTheThreadOfItsCaller(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", "read line")
	cmd.SysProcAttr = processAttributes(nil, syscall.SIGKILL)
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	var exited <-chan error
	threads := make(chan int)
	call := func() {
		exited, err = startChild(cmd)
		threads <- syscall.Gettid()
	}
	go func() {
		runtime.LockOSThread()
		if syscall.Gettid() != os.Getpid() {
			call()
			return
		}
		// The main thread never ends. While this goroutine holds it, the next one gets another thread.
		second := make(chan struct{})
		go func() {
			defer close(second)
			runtime.LockOSThread()
			call()
		}()
		<-second
		runtime.UnlockOSThread()
	}()
	thread := fmt.Sprintf("/proc/self/task/%d", <-threads)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(thread)
		return err != nil
	}, time.Minute, time.Millisecond)
	_, err = stdin.Write([]byte("\n"))
	require.NoError(t, err)
	require.NoError(t, <-exited, "the child lived and read the line")
}

func TestBackendsAreFoundByTheirDirectory(t *testing.T) {
	t.Parallel()
	dir := newCluster(t, ephemeralDir)
	server := start(t, Config{DataDir: dir, Ephemeral: true})
	pgdata := dir + "/" + ephemeralDir
	require.Contains(t, backends(pgdata), server.process.os.Pid)
	require.Greater(t, len(backends(pgdata)), 1)
	require.False(t, isPostmaster(os.Getpid(), pgdata))
	require.NoError(t, server.Stop(t.Context()))
	require.Empty(t, backends(pgdata))
	_, err := os.Stat(pgdata)
	require.NotErrorIs(t, err, fs.ErrNotExist)
}
