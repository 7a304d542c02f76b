package api

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gin-gonic/gin"
	"github.com/swaggest/swgui/v5/static"
)

//go:embed openapi.yaml
var contractText []byte

//go:embed docs
var docsPage embed.FS

// Contract returns a new copy of the REST contract, which the caller may change.
func Contract() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(contractText)
	if err != nil {
		return nil, fmt.Errorf("read contract: %w", err)
	}
	return doc, nil
}

// servedContracts read the contract that a server serves, by Config.OpenCatalog, once: tests start hundreds of servers. Nothing
// may change what they return.
var servedContracts = map[bool]func() (*openapi3.T, error){
	false: sync.OnceValues(Contract),
	true: sync.OnceValues(func() (*openapi3.T, error) {
		doc, err := Contract()
		if err != nil {
			return nil, err
		}
		return doc, openCatalog(doc)
	}),
}

// documentation lists the routes that are not in the contract because they describe it.
var documentation = []string{
	"/", "/api", "/docs", "/openapi.json",
	"/docs/init.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/favicon-32x32.png",
}

// docsPolicy lets the documentation page load its own files and call this server, and nothing else. Swagger UI loads its
// icons from data URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// registerDocumentation serves a document and its documentation page with all files of the page.
func registerDocumentation(router gin.IRouter, doc *openapi3.T) error {
	// Encoded for the first client that asks: this takes most of the time that a router needs to start.
	description := sync.OnceValue(func() []byte {
		text, err := json.Marshal(doc)
		if err != nil {
			panic(fmt.Errorf("encode contract: %w", err)) // the request gets the status 500
		}
		return text
	})
	for _, route := range documentation {
		switch route {
		case "/", "/api": // the reference has its page at /api
			router.GET(route, func(c *gin.Context) {
				c.Header("Location", "docs") // relative, for proxies that serve Docket under a path
				c.Status(http.StatusTemporaryRedirect)
			})
		case "/openapi.json":
			router.GET(route, func(c *gin.Context) {
				c.Header("Content-Type", "application/json")
				if text := description(); !notModified(c, text) {
					sendBody(c, text)
				}
			})
		default:
			handler, err := asset(route)
			if err != nil {
				return fmt.Errorf("documentation: %w", err)
			}
			router.GET(route, handler)
		}
	}
	return nil
}

// asset returns the handler of a file of the page: Docket's own, or one of Swagger UI, most of which are compressed.
func asset(route string) (gin.HandlerFunc, error) {
	name := path.Base(route)
	if route == "/docs" {
		name = "index.html"
	}
	if data, err := docsPage.ReadFile("docs/" + name); err == nil {
		return func(c *gin.Context) { serveAsset(c, name, data) }, nil
	}
	if data, err := static.FS.ReadFile(name); err == nil {
		return func(c *gin.Context) { serveAsset(c, name, data) }, nil
	}
	packed, err := static.FS.ReadFile(name + ".gz")
	if err != nil {
		return nil, err
	}
	return func(c *gin.Context) {
		c.Writer.Header().Add("Vary", "Accept-Encoding")
		if takesGzip(c.GetHeader("Accept-Encoding")) {
			c.Header("Content-Encoding", "gzip")
			serveAsset(c, name, packed)
			return
		}
		unpacked, err := unpack(packed)
		if err != nil {
			panic(err) // the file is part of the program
		}
		serveAsset(c, name, unpacked)
	}, nil
}

func serveAsset(c *gin.Context, name string, data []byte) {
	c.Header("Content-Security-Policy", docsPolicy)
	c.Header("Content-Type", contentTypes[path.Ext(name)])
	if !notModified(c, data) {
		sendBody(c, data)
	}
}

// contentTypes are listed here because the mime package reads the tables of the machine.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".png":  "image/png",
}

func sendBody(c *gin.Context, body []byte) {
	c.Status(http.StatusOK)
	_, _ = c.Writer.Write(body) // an error means that the client has left
}

func takesGzip(acceptEncoding string) bool {
	return slices.ContainsFunc(strings.Split(acceptEncoding, ","), func(coding string) bool {
		name, quality, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		return name == "gzip" && strings.Trim(quality, "q=0.") != "" || name == "gzip" && quality == ""
	})
}

func unpack(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}
