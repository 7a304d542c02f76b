package main

import (
	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// The states that are reported to the service manager.
const (
	serviceReady    = daemon.SdNotifyReady
	serviceStopping = daemon.SdNotifyStopping
)

// notifyManager reports the state of this process to the service manager, if NOTIFY_SOCKET names its socket, as in a unit of
// systemd with Type=notify. A failure is only logged: the manager has a time limit of its own.
func notifyManager(state string, log *zap.Logger) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("the service manager is not notified", zap.String("state", state), zap.Error(err))
	}
}
