// The program of a stranger who knows Docket from openapi.yaml only. The test generates the client from that file.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/google/uuid"
)

var (
	server = flag.String("server", "", "`address` of the service")
	token  = flag.String("token", "", "token of a user who has annotated nothing")
)

func main() {
	flag.Parse()
	annotated, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(annotated)
}

// run annotates all URLs and returns their number.
func run(ctx context.Context) (annotated int, err error) {
	signIn := func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+*token)
		return nil
	}
	stranger, err := NewClientWithResponses(*server)
	if err != nil {
		return 0, err
	}
	user, err := NewClientWithResponses(*server, WithRequestEditorFn(signIn))
	if err != nil {
		return 0, err
	}

	refused, err := stranger.AnnotateNextWithResponse(ctx, &AnnotateNextParams{})
	if err != nil || refused.ApplicationproblemJSON401 == nil {
		return 0, fmt.Errorf("without a token: %v %s", err, refused.Status())
	}
	session, err := annotateAnonymously(ctx, stranger)
	if err != nil {
		return 0, fmt.Errorf("anonymous session: %w", err)
	}
	first, err := user.AnnotateNextWithResponse(ctx, &AnnotateNextParams{})
	if err != nil || first.JSON200 == nil || first.JSON200.NextAnnotation == nil {
		return 0, fmt.Errorf("first URL: %v %s", err, first.Body)
	}
	if err := contradict(ctx, user, first.JSON200.NextAnnotation.UrlInfo.UrlId); err != nil {
		return 0, err
	}
	for next := first.JSON200.NextAnnotation; next != nil; annotated++ {
		if next, err = annotate(ctx, user, next); err != nil {
			return annotated, fmt.Errorf("URL %d: %w", annotated+1, err)
		}
	}
	moved, err := user.AnnotateMigrateWithResponse(ctx, &AnnotateMigrateParams{SessionId: session})
	if err != nil || moved.JSON200 == nil {
		return annotated, fmt.Errorf("migrate: %v %s", err, moved.Body)
	}
	if moved.JSON200.Skipped != 1 || moved.JSON200.Migrated != 0 {
		return annotated, fmt.Errorf("the user has annotated every URL, but the response is %s", moved.Body)
	}
	return annotated, nil
}

// annotate sends an answer for a URL, repeats the request as if the response had been lost, and sends a second answer, which is
// refused.
func annotate(ctx context.Context, user *ClientWithResponses, next *NextAnnotation) (*NextAnnotation, error) {
	answer := Answer{SuggestedStatus: URLTypeDataSource, RecordType: new(Stops)}
	if agencies := next.AgencySuggestions.Suggestions; len(agencies) > 0 {
		answer.AgencyInfo = &AnswerAgencies{AgencyIds: &[]int32{int32(agencies[0].Id)}}
	} else {
		answer.AgencyInfo = &AnswerAgencies{NotFound: new(true)}
	}
	if locations := next.LocationSuggestions.Suggestions; len(locations) > 0 {
		answer.LocationInfo = &AnswerLocations{LocationIds: &[]int64{locations[0].Id}}
	}
	if names := next.NameSuggestions.Suggestions; len(names) > 0 {
		answer.NameInfo = &AnswerName{ExistingNameId: &names[0].Id}
	} else {
		answer.NameInfo = &AnswerName{NewName: new("A name for " + next.UrlInfo.Url[:min(40, len(next.UrlInfo.Url))])}
	}
	key := uuid.NewString()
	stored, err := user.AnnotateSubmitWithResponse(ctx, next.UrlInfo.UrlId, &AnnotateSubmitParams{IdempotencyKey: &key}, answer)
	if err != nil || stored.JSON200 == nil {
		return nil, fmt.Errorf("submit: %v %s", err, stored.Body)
	}
	again, err := user.AnnotateSubmitWithResponse(ctx, next.UrlInfo.UrlId, &AnnotateSubmitParams{IdempotencyKey: &key}, answer)
	if err != nil || string(again.Body) != string(stored.Body) || again.HTTPResponse.Header.Get("Idempotency-Replayed") != "true" {
		return nil, fmt.Errorf("submit again: %v %s", err, again.Body)
	}
	twice, err := user.AnnotateSubmitWithResponse(ctx, next.UrlInfo.UrlId, &AnnotateSubmitParams{}, answer)
	if err != nil || twice.JSON200 == nil {
		return nil, fmt.Errorf("submit twice: %v %s", err, twice.Body)
	}
	other, err := user.AnnotateSubmitWithResponse(ctx, next.UrlInfo.UrlId, &AnnotateSubmitParams{}, Answer{SuggestedStatus: URLTypeBrokenPage})
	if err != nil || other.ApplicationproblemJSON409 == nil || other.ApplicationproblemJSON409.Type != "urn:docket:problem:already-annotated" {
		return nil, fmt.Errorf("submit another answer: %v %s", err, other.Body)
	}
	return stored.JSON200.NextAnnotation, nil
}

// contradict sends an answer whose fields contradict each other.
func contradict(ctx context.Context, user *ClientWithResponses, url int32) error {
	refused, err := user.AnnotateSubmitWithResponse(ctx, url, &AnnotateSubmitParams{},
		Answer{SuggestedStatus: URLTypeNotRelevant, RecordType: new(Stops)})
	if err != nil || refused.ApplicationproblemJSON400 == nil {
		return fmt.Errorf("contradiction: %v %s", err, refused.Body)
	}
	return nil
}

// annotateAnonymously annotates one URL in a new anonymous session.
func annotateAnonymously(ctx context.Context, stranger *ClientWithResponses) (session uuid.UUID, err error) {
	opened, err := stranger.AnnotateAnonymousNextWithResponse(ctx, &AnnotateAnonymousNextParams{})
	if err != nil || opened.JSON200 == nil || opened.JSON200.NextAnnotation == nil {
		return session, fmt.Errorf("open: %v %s", err, opened.Body)
	}
	session = opened.JSON200.SessionId
	url := opened.JSON200.NextAnnotation.UrlInfo.UrlId
	stored, err := stranger.AnnotateAnonymousSubmitWithResponse(ctx, url,
		&AnnotateAnonymousSubmitParams{SessionId: session}, Answer{SuggestedStatus: URLTypeBrokenPage})
	if err != nil || stored.JSON200 == nil || stored.JSON200.SessionId != session {
		return session, fmt.Errorf("submit: %v %s", err, stored.Body)
	}
	if next := stored.JSON200.NextAnnotation; next == nil || next.UrlInfo.UrlId == url {
		return session, fmt.Errorf("the same URL comes twice: %s", stored.Body)
	}
	return session, nil
}
