package annotation_test

import (
	"context"

	"docket/internal/annotation"
)

// annotator is a user or, without one, an anonymous session.
type annotator struct {
	user    int32
	session annotation.Session
}

func (a annotator) isSession() bool { return a.user == 0 }

func (a annotator) id() annotation.Annotator {
	if a.isSession() {
		return annotation.Anonymous(a.session)
	}
	return annotation.User(a.user)
}

// String returns what identifies the annotator in url_reservations.
func (a annotator) String() string { return a.id().String() }

func (a annotator) ask(ctx context.Context, s *annotation.Service) (annotation.Offer, error) {
	if a.isSession() {
		return s.NextAnonymous(ctx, a.session, 0)
	}
	return s.Next(ctx, a.user, annotation.Filter{})
}

func (a annotator) submit(ctx context.Context, s *annotation.Service, url int32, answer annotation.Answer) error {
	if a.isSession() {
		return s.SubmitAnonymous(ctx, a.session, url, answer)
	}
	return s.Submit(ctx, a.user, url, answer)
}

func (a annotator) skip(ctx context.Context, s *annotation.Service, url int32, skip annotation.Skip) error {
	if a.isSession() {
		return s.SkipAnonymous(ctx, a.session, url, skip)
	}
	return s.Skip(ctx, a.user, url, skip)
}

func (a annotator) replace(ctx context.Context, s *annotation.Service, url int32, answer annotation.Answer) error {
	if a.isSession() {
		return s.ReplaceAnonymous(ctx, a.session, url, answer)
	}
	return s.Replace(ctx, a.user, url, answer)
}

func (a annotator) takeBack(ctx context.Context, s *annotation.Service, url int32) error {
	if a.isSession() {
		return s.TakeBackAnonymous(ctx, a.session, url)
	}
	return s.TakeBack(ctx, a.user, url)
}
