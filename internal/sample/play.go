package sample

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"docket/internal/annotation"
	"docket/internal/consensus"
	"docket/internal/db/sampledb"
	"docket/internal/imports"
	"docket/internal/postgres"
)

// Errors of Play.
var (
	// ErrOtherData means that an annotator was offered a URL that is not of the sample data with the given number of URLs and seed.
	ErrOtherData = errors.New("not of the sample data with this number of URLs and seed")
	// ErrNothingOffered means that an annotator was offered nothing although there was a URL that it could have annotated.
	ErrNothingOffered = errors.New("an annotator was offered nothing while a URL was left for it")
)

// PlayOptions say who annotates, and for how long. URLs and Seed are those of the sample data, which must be in the database.
type PlayOptions struct {
	URLs int
	Seed uint64

	Annotators int
	Sessions   float64 // the share of the annotators that are anonymous sessions
	Accuracy   float64 // the probability that an annotator states the truth about an attribute
	AtOnce     int     // how many annotators work at the same time

	// Thinking has all annotators work on a URL at any time, each for some simulated time. So they answer one after another, in an
	// order that depends on the seed alone, and each asks for the next URL right after its answer. AtOnce must then be 1.
	Thinking bool
	// Validate, if not nil, is called after each answer of thinking annotators, and validates what the votes decide.
	Validate func(context.Context) error

	// Facts ends the play once the answers make so many facts; answers that are under way then may make one more, or a tie of one. 0
	// means until every URL that can become a fact is one, or no annotator has a URL left.
	Facts int
	// Wait is how long, after the last answer, a URL whose votes make a consensus may take to be validated.
	Wait time.Duration
	Rule consensus.Rule
	// Progress, if not nil, is called after each answer with the number of facts so far, and of those at the end.
	Progress func(done, total int64)
}

// Check refuses options that no play can have.
func (o PlayOptions) Check() error {
	switch {
	case o.URLs < 1 || o.URLs > maxURLs:
		return fmt.Errorf("%d URLs: the number must be from 1 to %d", o.URLs, maxURLs)
	case o.Annotators < 1 || o.Annotators > 1_000_000:
		return fmt.Errorf("%d annotators: the number must be from 1 to 1000000", o.Annotators)
	case !(o.Sessions >= 0 && o.Sessions <= 1):
		return fmt.Errorf("a share of %v anonymous sessions: it must be from 0 to 1", o.Sessions)
	case !(o.Accuracy >= 0 && o.Accuracy <= 1):
		return fmt.Errorf("an accuracy of %v: it must be from 0 to 1", o.Accuracy)
	case o.AtOnce < 1:
		return fmt.Errorf("%d annotators at once: the number must be 1 or more", o.AtOnce)
	case o.Thinking && o.AtOnce != 1:
		return fmt.Errorf("%d annotators at once: annotators who think must answer one at a time", o.AtOnce)
	case o.Facts < 0:
		return fmt.Errorf("%d facts: the number must not be negative", o.Facts)
	case o.Wait < 0:
		return fmt.Errorf("a wait of %s: it must not be negative", o.Wait)
	}
	return nil
}

// Play lets simulated annotators annotate the sample data until they agree, through client, and watches in the database which URLs are
// validated. Something else must validate them meanwhile. An annotator asks for the next URL, answers, and waits for its next turn; no
// annotator answers the same URL twice. The truth comes from the generator of the sample data. Errors: those of client, and ErrOtherData.
// A URL that is not validated in time is no error, but part of the outcome.
func Play(ctx context.Context, pool *postgres.Pool, client Client, o PlayOptions) (Outcome, error) {
	if err := o.Check(); err != nil {
		return Outcome{}, err
	}
	world := newWorld(o.URLs, o.Seed, imports.States)
	p := &play{PlayOptions: o, pool: pool, client: client, truths: world.truths(), urls: map[int32]*annotated{}}
	eligible, err := queries.EligibleURLList(ctx, pool, int32(o.URLs))
	if err != nil {
		return Outcome{}, fmt.Errorf("list URLs to annotate: %w", err)
	}
	p.open = len(eligible)
	for _, id := range eligible {
		if p.decidable(id) {
			p.left++
		}
	}
	p.undecidable = p.open - p.left
	p.total = p.left
	if p.Facts > 0 {
		p.total = p.Facts
	}
	p.waiting = world.simulate(o)

	began := time.Now()
	if err := p.run(ctx); err != nil {
		return Outcome{}, err
	}
	return p.outcome(ctx, time.Since(began))
}

// play is a play that runs.
type play struct {
	PlayOptions
	pool        *postgres.Pool
	client      Client
	truths      map[int32]*truth
	open        int // URLs that could be annotated at the beginning
	undecidable int // of them, those that are not decidable
	total       int // facts at the end

	mu      sync.Mutex
	waiting []*simulated // annotators who wait for their turn
	urls    map[int32]*annotated
	left    int // URLs that can become facts, and have not
	agreed  int // URLs whose votes make a fact, validated or not
	facts   int
	surplus int // offers of URLs that as many annotators were working on as they needed answers
}

// annotated is a URL with answers.
type annotated struct {
	reading   sync.Mutex      // held while the votes from before the play are read
	votes     consensus.Votes // nil until then
	answers   int
	underWay  int       // annotators who were offered the URL and have not answered
	needed    int       // of the answers, those until the one that made a consensus
	decided   time.Time // when the answer was stored that made a consensus; zero without one
	undone    bool      // a later answer made a tie of it: whether the URL is validated depends on which was seen
	validated time.Time // when the validation was seen; zero before
}

// decidable returns whether annotators who state the truth about a URL make a fact of it.
func (p *play) decidable(urlID int32) bool {
	truth, known := p.truths[urlID]
	return known && slices.Contains(consensus.ValidatedTypes(), string(truth.urlType))
}

func (p *play) run(ctx context.Context) error {
	answered := make(chan struct{}) // closed after the last answer
	if p.Thinking {
		if err := p.think(ctx); err != nil {
			return err
		}
		close(answered)
		return p.watch(ctx, answered)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.watch(ctx, answered) })
	group.Go(func() error {
		defer close(answered)
		var workers errgroup.Group
		for range p.AtOnce {
			workers.Go(func() error { return p.work(ctx) })
		}
		return workers.Wait()
	})
	return group.Wait()
}

// work gives turns to annotators until none has a URL left, or the play is over.
func (p *play) work(ctx context.Context) error {
	for {
		annotator := p.take()
		if annotator == nil {
			return nil
		}
		begun, err := p.ask(ctx, annotator)
		if err != nil {
			return err
		}
		if begun == nil {
			continue
		}
		if err := p.answer(ctx, begun); err != nil {
			return err
		}
		p.giveBack(annotator)
	}
}

// think has all annotators ask for a URL, then each answer once its time has come and ask again, until none has a URL left, or the
// play is over.
func (p *play) think(ctx context.Context) error {
	dice := newDice(p.Seed, thinkingStream)
	var working []*work // by the time of the answer
	begin := func(annotator *simulated, now float64) error {
		begun, err := p.ask(ctx, annotator)
		if err != nil || begun == nil {
			return err
		}
		begun.ready = now + 0.5 + dice.Float64() // on average 1
		at, _ := slices.BinarySearchFunc(working, begun, func(a, b *work) int { return cmp.Compare(a.ready, b.ready) })
		working = slices.Insert(working, at, begun)
		return nil
	}
	for annotator := p.take(); annotator != nil; annotator = p.take() {
		if err := begin(annotator, 0); err != nil {
			return err
		}
	}
	for len(working) > 0 && !p.over() {
		first := working[0]
		working = working[1:]
		if err := p.answer(ctx, first); err != nil {
			return err
		}
		if p.Validate != nil {
			if err := p.Validate(ctx); err != nil {
				return err
			}
		}
		if _, err := p.look(ctx); err != nil {
			return err
		}
		if err := begin(first.annotator, first.ready); err != nil {
			return err
		}
	}
	return nil
}

// take returns the annotator who has waited longest; nil when none waits or the play is over.
func (p *play) take() *simulated {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 || p.isOver() {
		return nil
	}
	first := p.waiting[0]
	p.waiting = p.waiting[1:]
	return first
}

func (p *play) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isOver()
}

// isOver returns whether there are as many facts as there shall be. The caller holds mu.
func (p *play) isOver() bool { return p.left == 0 || p.Facts > 0 && max(p.agreed, p.facts) >= p.Facts }

func (p *play) giveBack(annotator *simulated) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, annotator)
}

// work is a URL that an annotator works on.
type work struct {
	annotator *simulated
	offer     *annotation.Next
	truth     *truth
	url       *annotated
	ready     float64 // when a thinking annotator answers, in simulated time
}

// ask returns nil when no URL is left for the annotator.
func (p *play) ask(ctx context.Context, annotator *simulated) (*work, error) {
	next, err := p.client.Next(ctx, annotator.Annotator)
	if err != nil {
		return nil, err
	}
	if next == nil {
		return nil, p.confirmNothingLeft(ctx, annotator.Annotator)
	}
	truth, known := p.truths[next.URLID]
	if !known || truth.url != next.URL {
		return nil, fmt.Errorf("URL %d, %s: %w", next.URLID, next.URL, ErrOtherData)
	}
	url, err := p.url(ctx, next.URLID)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if url.underWay >= p.Rule.Needed(url.votes) {
		p.surplus++
	}
	url.underWay++
	return &work{annotator: annotator, offer: next, truth: truth, url: url}, nil
}

// confirmNothingLeft returns ErrNothingOffered if there is a URL that the annotator could annotate. There was one then when it
// asked too: during a play, no URL becomes eligible.
func (p *play) confirmNothingLeft(ctx context.Context, a Annotator) error {
	left, err := queries.URLLeftGet(ctx, p.pool, sampledb.URLLeftGetParams{UserID: a.UserID, SessionID: a.Session})
	if err != nil {
		return fmt.Errorf("look for a URL that is left: %w", err)
	}
	if left != 0 {
		return fmt.Errorf("URL %d: %w", left, ErrNothingOffered)
	}
	return nil
}

func (p *play) answer(ctx context.Context, w *work) error {
	answer := w.annotator.answer(w.truth, w.offer)
	if err := p.client.Submit(ctx, w.annotator.Annotator, w.offer.URLID, answer); err != nil {
		return fmt.Errorf("answer about URL %d: %w", w.offer.URLID, err)
	}
	p.count(w.url, w.annotator, answer, w.offer.Names)
	return nil
}

// url returns what is known of a URL, with the votes from before the play: no annotator of the play has answered it before the first one
// that is here.
func (p *play) url(ctx context.Context, id int32) (*annotated, error) {
	p.mu.Lock()
	url := p.urls[id]
	if url == nil {
		url = &annotated{}
		p.urls[id] = url
	}
	p.mu.Unlock()

	url.reading.Lock()
	defer url.reading.Unlock()
	if url.votes != nil {
		return url, nil
	}
	votes, err := consensus.LoadVotes(ctx, p.pool, []int32{id})
	if err != nil {
		return nil, err
	}
	if url.votes = votes[id]; url.votes == nil {
		url.votes = consensus.Votes{}
	}
	return url, nil
}

// count counts an answer that was stored just now.
func (p *play) count(url *annotated, from *simulated, answer annotation.Answer, shown []annotation.NameSuggestion) {
	now := time.Now()
	one := consensus.Count{Users: 1}
	if from.UserID == 0 {
		one = consensus.Count{Sessions: 1}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	url.answers++
	url.underWay--
	addVotes(url.votes, one, answer, shown)
	switch _, agreed := p.Rule.Decide(url.votes); {
	case !url.validated.IsZero():
	case !agreed && !url.decided.IsZero() && !url.undone:
		url.undone = true
		p.agreed--
	case agreed && (url.decided.IsZero() || url.undone):
		url.decided, url.undone, url.needed = now, false, url.answers
		p.agreed++
	}
	if p.Progress != nil {
		p.Progress(int64(p.facts), int64(p.total))
	}
}

// addVotes adds what an annotator said about a URL to the votes about it. A name is among those shown, or new.
func addVotes(votes consensus.Votes, one consensus.Count, answer annotation.Answer, shown []annotation.NameSuggestion) {
	votes.Add(consensus.URLType, string(answer.URLType), one)
	for _, id := range answer.AgencyIDs {
		votes.Add(consensus.Agency, strconv.Itoa(int(id)), one)
	}
	for _, id := range answer.LocationIDs {
		votes.Add(consensus.Location, strconv.FormatInt(id, 10), one)
	}
	if answer.RecordType != nil {
		votes.Add(consensus.RecordType, string(*answer.RecordType), one)
	}
	if answer.NewName != nil {
		votes.Add(consensus.Name, *answer.NewName, one)
	}
	for _, name := range shown {
		if answer.ExistingNameID != nil && name.ID == *answer.ExistingNameID {
			votes.Add(consensus.Name, name.Name, one)
		}
	}
}

// watchEvery is the time between two looks at what is validated, and so the precision of latencies.
const watchEvery = 10 * time.Millisecond

// watch notes when URLs whose votes make a consensus are validated, until all of them are after the last answer, or for so long after it
// as the play waits. It reads nothing while there are none.
func (p *play) watch(ctx context.Context, answered <-chan struct{}) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var deadline <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-answered:
			answered, deadline = nil, time.After(p.Wait)
		case <-deadline:
			return nil
		case <-ticker.C:
		}
		expected, err := p.look(ctx)
		if err != nil || expected == 0 && answered == nil {
			return err
		}
	}
}

// due are the URLs whose validation was not seen yet: those whose votes make a consensus, and those whose votes did for some time.
func (p *play) due() (expected, possible []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, url := range p.urls {
		switch {
		case url.decided.IsZero() || !url.validated.IsZero():
		case url.undone:
			possible = append(possible, id)
		default:
			expected = append(expected, id)
		}
	}
	return expected, possible
}

// look notes which URLs are validated, and returns how many were expected to be. It must not be called concurrently with itself.
func (p *play) look(ctx context.Context) (expected int, err error) {
	urlIDs, possible := p.due()
	expected = len(urlIDs)
	urlIDs = append(urlIDs, possible...)
	if len(urlIDs) == 0 {
		return 0, nil
	}
	rows, err := queries.FactList(ctx, p.pool, urlIDs)
	if err != nil {
		return 0, fmt.Errorf("read facts: %w", err)
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, row := range rows {
		p.urls[row.URLID].validated = now
		p.facts++
		if p.decidable(row.URLID) {
			p.left--
		}
	}
	return expected, nil
}
