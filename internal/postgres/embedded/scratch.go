package embedded

import (
	"context"
	"path/filepath"
)

// StartScratch starts a server whose data need not survive a crash, in a new directory below dir, preferably of the given
// major version (0: any).
func StartScratch(ctx context.Context, dir string, major int) (url string, stop func(context.Context) error, err error) {
	server, err := Start(ctx, Config{
		DataDir: filepath.Join(dir, "data"), Ephemeral: true, Major: major, Owner: "docket scratch",
	})
	if err != nil {
		return "", nil, err
	}
	return server.URL(), server.Stop, nil
}
