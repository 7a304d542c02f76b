package sample

import (
	"fmt"
	"strings"
	"time"

	"docket/internal/db/sampledb"
)

// address sets the URL's address. It is unique: only home pages have no path, and every path contains the URL's number.
func (g *generator) address(u *draft) sampledb.URLInsertManyParams {
	host := g.agencies[u.agency].host
	row := sampledb.URLInsertManyParams{ID: u.id, Scheme: g.scheme()}
	if u.homepage {
		row.URL, row.TrailingSlash = &host, g.percent(80)
		return row
	}

	number, year, page := int(u.id)+100, 2015+g.IntN(11), slug(u.subject)
	var url string
	switch throw := g.IntN(100); {
	case throw < 20:
		url = fmt.Sprintf("%s/%d/%s", host, number, page)
		row.TrailingSlash = g.percent(25)
	case throw < 40:
		url = fmt.Sprintf("%s/departments/records/%s/%d/%d", host, page, year, number)
		row.TrailingSlash = g.percent(50)
	case throw < 55:
		url = fmt.Sprintf("%s/DocumentCenter/View/%d/%s", host, number, page)
	case throw < 70:
		url = fmt.Sprintf("%s/wp-content/uploads/%d/%02d/%s-%d.pdf", host, year, 1+g.IntN(12), page, number)
	case throw < 80:
		url = fmt.Sprintf("%s/archive.aspx?AMID=%d", host, number)
	case throw < 90:
		url = fmt.Sprintf("%s/news/%d/%s-%d", host, year, page, number)
		row.TrailingSlash = g.percent(60)
	default:
		url = fmt.Sprintf("data.%s/dataset/%s?resource=%d", strings.TrimPrefix(host, "www."), page, number)
	}
	row.URL = &url
	if g.percent(30) {
		description := fmt.Sprintf("%s, %d, as published by %s.", u.subject, year, g.agencies[u.agency].name)
		row.Description = &description
	}
	return row
}

// scheme returns nil for a few URLs, which were stored without a scheme.
func (g *generator) scheme() *string {
	scheme := "https"
	switch throw := g.IntN(100); {
	case throw < 4:
		return nil
	case throw < 20:
		scheme = "http"
	}
	return &scheme
}

// content adds what a crawl of the page stored.
func (g *generator) content(u *draft) {
	visited := u.created.Add(3 * time.Hour)
	switch {
	case u.fate == broken:
		code := int32(404)
		g.page.WebMetadata = append(g.page.WebMetadata, sampledb.WebMetadataInsertManyParams{
			URLID: u.id, Accessed: true, StatusCode: &code, CreatedAt: visited, UpdatedAt: visited,
		})
		return
	case u.fate == duplicate && u.batch.id != 0:
		g.page.Duplicates = append(g.page.Duplicates, sampledb.DuplicateInsertManyParams{
			BatchID: u.batch.id, OriginalURLID: int32(1 + g.IntN(int(u.id)-1)),
		})
	}
	if !g.percent(85) {
		return
	}
	add := func(kind sampledb.URLHTMLContentType, text string) {
		g.page.HTML = append(g.page.HTML, sampledb.HTMLContentInsertManyParams{
			URLID: u.id, ContentType: kind, Content: text, UpdatedAt: visited,
		})
	}
	name := g.agencies[u.agency].name
	u.title = u.subject + " | " + name
	add(sampledb.URLHTMLContentTypeTitle, u.title)
	if g.percent(60) {
		add(sampledb.URLHTMLContentTypeDescription, fmt.Sprintf("Find %s and more on the official site of %s.", u.subject, name))
	}
	if g.percent(40) {
		add(sampledb.URLHTMLContentTypeH1, u.subject)
	}
}
