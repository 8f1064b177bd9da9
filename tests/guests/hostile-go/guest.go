// A plugin that does what it should not, as an ordinary Go program would do it: the event's kind says what.

package export_tidegate_plugin_handler

import (
	"strconv"
	"strings"
	"time"

	wit "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/tidegate_plugin_handler"
)

// What an earlier call left here would be found by a later one.
var seen []string

func Handle(event Event) wit.Result[[]Decision, Refusal] {
	if len(seen) > 0 {
		return wit.Err[[]Decision](MakeRefusalOther("found " + strings.Join(seen, " ")))
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
	return wit.Ok[[]Decision, Refusal](nil)
}

func note(text string) wit.Result[[]Decision, Refusal] {
	return wit.Ok[[]Decision, Refusal]([]Decision{MakeDecisionNote(text)})
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
