package tracing

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// settings are what the exporter and the provider do not read from the environment themselves.
type settings struct {
	on        bool
	continued bool // the traces of clients
}

// The variables of the standard that Docket reads itself. The exporter and the provider read all others.
const (
	disabledVariable    = "OTEL_SDK_DISABLED"
	exporterVariable    = "OTEL_TRACES_EXPORTER"
	propagatorsVariable = "OTEL_PROPAGATORS"
	samplerVariable     = "OTEL_TRACES_SAMPLER"
)

var (
	endpointVariables = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}
	protocolVariables = []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"}
	samplers          = []string{
		"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
	}
)

// CheckEnvironment fails for a variable that FromEnvironment refuses.
func CheckEnvironment() error {
	_, err := readSettings()
	return err
}

// readSettings reads the environment. Traces are on if an endpoint or the exporter is set. The standard's default is on, to an
// address on the same machine, where most processes of Docket have no collector.
func readSettings() (settings, error) {
	if strings.EqualFold(os.Getenv(disabledVariable), "true") {
		return settings{}, nil
	}
	found := settings{continued: true}
	switch value := os.Getenv(exporterVariable); value {
	case "none":
		return settings{}, nil
	case "otlp":
		found.on = true
	case "":
		for _, name := range endpointVariables {
			found.on = found.on || os.Getenv(name) != ""
		}
	default:
		return settings{}, fmt.Errorf("%s: %q is neither otlp nor none", exporterVariable, value)
	}
	if !found.on {
		return settings{}, nil
	}
	for _, name := range endpointVariables {
		if err := checkEndpoint(os.Getenv(name)); err != nil {
			return settings{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range protocolVariables {
		if value := os.Getenv(name); value != "" && value != "http/protobuf" {
			return settings{}, fmt.Errorf("%s: %q is not http/protobuf, the only protocol of Docket", name, value)
		}
	}
	if value := os.Getenv(samplerVariable); value != "" && !slices.Contains(samplers, value) {
		return settings{}, fmt.Errorf("%s: %q is none of %s", samplerVariable, value, strings.Join(samplers, ", "))
	}
	if value := os.Getenv(propagatorsVariable); value != "" {
		names := strings.Split(value, ",")
		found.continued = slices.Contains(names, "tracecontext")
		for _, name := range names {
			if !slices.Contains([]string{"tracecontext", "baggage", "none"}, name) {
				return settings{}, fmt.Errorf("%s: %q is none of tracecontext, baggage, none", propagatorsVariable, name)
			}
		}
	}
	return found, nil
}

// checkEndpoint does not quote the value, which may contain a password.
func checkEndpoint(value string) error {
	if value == "" {
		return nil
	}
	endpoint, err := url.Parse(value)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return errors.New("not a URL such as http://127.0.0.1:4318")
	}
	return nil
}
