package faults

import (
	"net"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"
)

// The configuration of scripts/cluster. docs/operations.md has the same settings.
var (
	patroniConfig = template.Must(template.New("patroni").Parse(`
scope: docket
name: {{.Name}}
restapi: {listen: "{{.REST}}", connect_address: "{{.REST}}"}
etcd3: {host: "{{.Etcd}}"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 3
    primary_start_timeout: 0
    synchronous_mode: true
    postgresql: {use_pg_rewind: true, use_slots: true}
  initdb: [{encoding: UTF8}, data-checksums]
postgresql:
  listen: "{{.SQL}}"
  connect_address: "{{.SQL}}"
  data_dir: "{{.Data}}"
  bin_dir: "{{.Bin}}"
  pgpass: "{{.Pass}}"
  pg_hba: [local all all trust, host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
  parameters: {unix_socket_directories: "{{.Sockets}}"}
  authentication:
    superuser: {username: postgres, password: x}
    replication: {username: replicator, password: x}
    rewind: {username: rewinder, password: x}
`))
	haproxyConfig = template.Must(template.New("haproxy").Funcs(template.FuncMap{"port": port}).Parse(`
global
    maxconn 500
defaults
    mode tcp
    timeout connect 1s
    timeout client 30m
    timeout server 30m
    timeout check 500ms
listen primary
    bind {{.HAProxy}}
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 500ms fastinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
{{- range .Nodes}}
    server {{.Name}} {{.SQL}} check port {{port .REST}}
{{- end}}
`))
)

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// TestOperationsHasTheConfiguration shows that the page has each line that is the same on every machine.
func TestOperationsHasTheConfiguration(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Survive the loss of a database server\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	section = "\n" + section
	for _, config := range []*template.Template{patroniConfig, haproxyConfig} {
		lines := 0
		for line := range strings.Lines(config.Root.String()) {
			line = strings.TrimRight(line, "\n")
			if line == "" || strings.Contains(line, "{{") || strings.Contains(line, "trust") || strings.Contains(line, "password") {
				continue // differs between machines
			}
			lines++
			require.Contains(t, section, "\n"+line+"\n", "a line of the configuration of %s", config.Name())
		}
		require.Greater(t, lines, 8)
	}
}
