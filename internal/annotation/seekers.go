package annotation

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// holders knows for whom this process has reserved a URL lately. For other annotators ReservationExtend is left out at first. It is
// a hint: another process may have reserved a URL for them.
type holders struct {
	until *lru.Cache[string, time.Time]
	now   func() time.Time
}

// maxHolders bounds the memory of a holders. An entry takes some hundred bytes.
const maxHolders = 10_000

func newHolders(now func() time.Time) holders {
	until, err := lru.New[string, time.Time](maxHolders)
	if err != nil { // only for a size below one
		panic(err)
	}
	return holders{until, now}
}

func (h holders) add(by Annotator, until time.Time) { h.until.Add(by.String(), until) }

func (h holders) remove(by Annotator) { h.until.Remove(by.String()) }

func (h holders) has(by Annotator) bool {
	until, ok := h.until.Get(by.String())
	return ok && h.now().Before(until)
}

// seekers numbers the requests of this process that choose and claim a URL in the same order at the same time. If all of them took
// the first URL, most would lose it to others. So each takes another one, as far behind the first as its number says.
type seekers struct {
	mu    sync.Mutex
	taken map[order][]bool
}

// order is the batch among whose URLs a request chooses; not ok means all URLs.
type order struct {
	batchID int32
	ok      bool
}

// join returns the lowest number, from 0, that no other request in the order has until it calls its leave.
func (s *seekers) join(filter Filter) (number int32, leave func()) {
	var in order
	if filter.BatchID != nil {
		in = order{*filter.BatchID, true}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == nil {
		s.taken = map[order][]bool{}
	}
	numbers := s.taken[in]
	for number = 0; int(number) < len(numbers) && numbers[number]; {
		number++
	}
	if int(number) == len(numbers) {
		numbers = append(numbers, true)
	}
	numbers[number] = true
	s.taken[in] = numbers
	return number, func() { s.leave(in, number) }
}

func (s *seekers) leave(in order, number int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := s.taken[in]
	numbers[number] = false
	for len(numbers) > 0 && !numbers[len(numbers)-1] {
		numbers = numbers[:len(numbers)-1]
	}
	if len(numbers) == 0 {
		delete(s.taken, in)
	} else {
		s.taken[in] = numbers
	}
}
