// Package chatty is a plugin that prints as Go programs do, more than a stream takes at once.
package chatty

import (
	"fmt"
	"os"
	"strings"

	"tidegate"
)

// Handle prints.
func Handle(event tidegate.Event) ([]tidegate.Decision, error) {
	var text strings.Builder
	for line := range 100 {
		fmt.Fprintf(&text, "%099d\n", line)
	}
	fmt.Printf("told of %s\n%s", event.Kind, text.String())
	fmt.Fprintln(os.Stderr, "and that is", "all")
	return []tidegate.Decision{tidegate.Note("printed")}, nil
}
