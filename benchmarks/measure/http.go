package measure

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Get connects a client of GET over HTTP/1.1, for one resource. It does as little as HTTP allows, because it shares the cores
// with what it measures. The authorization may be empty; header, if not nil, is called with the header of each response. Every
// status but 200 is an error.
func Get(address, path, authorization string, header func(http.Header)) (Client, error) {
	request := "GET " + path + " HTTP/1.1\r\nHost: bench\r\n"
	if authorization != "" {
		request += "Authorization: " + authorization + "\r\n"
	}
	request += "\r\n"
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return Client{}, err
	}
	reader := bufio.NewReader(conn)
	call := func(context.Context) error {
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", path, response.Status)
		}
		if header != nil {
			header(response.Header)
		}
		return nil
	}
	return Client{Call: call, Close: func() { _ = conn.Close() }}, nil
}

// ServerTiming returns the metrics of a Server-Timing header, in microseconds by name.
func ServerTiming(header string) map[string]float64 {
	phases := make(map[string]float64)
	for part := range strings.SplitSeq(header, ",") {
		name, duration, ok := strings.Cut(strings.TrimSpace(part), ";dur=")
		if ms, err := strconv.ParseFloat(duration, 64); ok && err == nil {
			phases[name] = ms * 1000
		}
	}
	return phases
}
