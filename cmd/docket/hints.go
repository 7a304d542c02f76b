package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"docket/internal/auth"
	"docket/internal/consensus"
	"docket/internal/postgres"
	"docket/internal/unknown"
)

// hintUsers are the users of the hints, who have no answers in the sample data. The last one is an administrator.
var hintUsers = []struct {
	id          int32
	permissions []auth.Permission
}{{id: 1000}, {id: 1001}, {id: 1002, permissions: []auth.Permission{auth.AccessSourceCollector}}}

// hintValidity is for how long the tokens of the hints are valid. One is an administrator's.
const hintValidity = time.Hour

// A page of the sample data that is not relevant, as two users can find without knowing more about it. No other type of fact
// takes so few words. TestReadme shows that docket seed makes it and leaves it open.
const (
	irrelevantID  = 262
	irrelevantURL = "http://www.greenviewga.gov/362/pet-licenses"
)

// printHints prints commands for a person who starts Docket for the first time: the next URL and, if the database has the sample
// data, two answers and the fact that comes of them. All can be repeated.
func printHints(ctx context.Context, out io.Writer, pool *postgres.Pool, key []byte, base string) error {
	var curl []string // by user
	for _, user := range hintUsers {
		token, err := auth.Issue(key, user.id, user.permissions, hintValidity, time.Now())
		if err != nil {
			return err
		}
		curl = append(curl, fmt.Sprintf("  curl -H 'Authorization: Bearer %s'", token))
	}
	text := fmt.Sprintf("\nDocket is ready. Request the next URL to annotate:\n\n%s %s/annotate/all\n\n", curl[0], base)
	explanation, err := consensus.NewExplainer(pool).Explain(ctx, irrelevantID)
	switch _, isUnknown := errors.AsType[*unknown.Error](err); {
	case isUnknown:
	case err != nil:
		return err
	case explanation.URL == irrelevantURL:
		text += fmt.Sprintf("Two users say that %s is not relevant:\n\n", irrelevantURL)
		for _, annotator := range curl[:2] {
			text += fmt.Sprintf("%s -H 'Content-Type: application/json' \\\n"+
				"    -d '{\"suggested_status\": \"not relevant\"}' %s/annotate/all/%d\n", annotator, base, irrelevantID)
		}
		text += fmt.Sprintf("\nWithin a second that makes it a fact. An administrator can see which, and why:\n\n"+
			"%s %s/url/%d/consensus\n\n", curl[2], base, irrelevantID)
	}
	_, err = io.WriteString(out, text)
	return err
}
