// Package hostile is a plugin that does what it should not, as an ordinary Go program would do it: the event's kind says
// what.
package hostile

import (
	"strconv"
	"strings"
	"time"

	"tidegate"
)

// What an earlier call left here would be found by a later one.
var seen []string

func Handle(event tidegate.Event) ([]tidegate.Decision, error) {
	if len(seen) > 0 {
		return nil, tidegate.Refuse("found " + strings.Join(seen, " "))
	}
	seen = append(seen, event.Kind)
	switch event.Kind {
	case "spin":
		for count := 0; ; count++ {
		}
	case "allocate":
		return note(strconv.Itoa(len(hoard())))
	case "recurse":
		return note(strconv.Itoa(recurse(0)))
	case "panic":
		panic("nobody recovers from this")
	case "goroutines-that-wait":
		for {
			go func() { select {} }()
		}
	case "goroutines-that-spin":
		for {
			go func() {
				for {
				}
			}()
			time.Sleep(0)
		}
	case "deadlock":
		select {}
	case "sleep":
		time.Sleep(time.Hour)
	case "flood-result":
		return note(strings.Repeat("x", 8<<20))
	}
	return nil, nil
}

func note(text string) ([]tidegate.Decision, error) {
	return []tidegate.Decision{tidegate.Note(text)}, nil
}

func hoard() [][]byte {
	var kept [][]byte
	for range 4096 {
		more := make([]byte, 1<<20)
		more[len(kept)] = 1
		kept = append(kept, more)
	}
	return kept
}

func recurse(depth int) int {
	return recurse(depth+1) + 1
}
