// Package mirror answers with everything it was told, so that a test sees that Go reads every field and gives every case.
package mirror

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"tidegate"
)

// Handle is told an event and answers with it.
func Handle(event tidegate.Event) ([]tidegate.Decision, error) {
	switch event.Kind {
	case "refuse.skip":
		return nil, tidegate.Skip()
	case "refuse.retry":
		return nil, tidegate.RetryAfterMs(event.ReceivedAtMs)
	case "refuse.park":
		return nil, tidegate.Park(event.Subject)
	case "refuse.other":
		// Around a refusal there may be more.
		return nil, fmt.Errorf("the mirror says: %w", tidegate.Refuse(event.Subject))
	}
	http := tidegate.HTTP{
		Method:   "PUT",
		URL:      "https://a.example/" + event.Subject,
		Headers:  event.Settings,
		ReplyTag: event.ContentType,
	}
	if len(event.Body) > 0 {
		http.Body = event.Body
	}
	if event.Attempt != 1 {
		http.TimeoutMs = tidegate.Some(event.Attempt)
	}
	return []tidegate.Decision{
		tidegate.OtherDecision{Kind: "mirror", Body: []byte(dump(event))},
		http,
		tidegate.Emit{
			Kind:        "mirror.emitted",
			Subject:     event.Subject,
			ContentType: event.ContentType,
			Body:        event.Body,
		},
		tidegate.Wake{AfterMs: tidegate.Or(event.OccurredAtMs, 0), Tag: event.Receipt, Body: event.Memory},
		tidegate.Remember(event.Memory),
		tidegate.Note(event.Kind),
	}, nil
}

func dump(event tidegate.Event) string {
	var lines lines
	lines.add("receipt", event.Receipt)
	lines.add("source", event.Source)
	lines.add("kind", event.Kind)
	lines.add("subject", event.Subject)
	lines.add("received-at-ms", strconv.FormatUint(event.ReceivedAtMs, 10))
	if event.OccurredAtMs == nil {
		lines.add("occurred-at-ms", "-")
	} else {
		lines.add("occurred-at-ms", "+"+strconv.FormatUint(*event.OccurredAtMs, 10))
	}
	lines.add("arrival", arrival(event.Arrival))
	lines.add("attempt", strconv.FormatUint(uint64(event.Attempt), 10))
	lines.optional("content-type", event.ContentType)
	lines.add("body", hex.EncodeToString(event.Body))
	lines.asset(event.Asset)
	lines.optional("previous", event.Previous)
	for _, pointer := range event.Changed {
		lines.add("changed", pointer)
	}
	if event.Memory == nil {
		lines.add("memory", "-")
	} else {
		lines.add("memory", "+"+hex.EncodeToString(event.Memory))
	}
	for _, one := range event.Settings {
		lines.add("setting", one.Name+"="+one.Value)
	}
	for _, one := range event.Attributes {
		lines.add("attribute", one.Name+"="+one.Value)
	}
	return lines.String()
}

func arrival(arrival tidegate.Arrival) string {
	if arrival.Class == tidegate.ArrivalOther {
		return "other:" + arrival.Words
	}
	return map[tidegate.ArrivalClass]string{
		tidegate.ArrivalFirst:       "first",
		tidegate.ArrivalDuplicate:   "duplicate",
		tidegate.ArrivalStale:       "stale",
		tidegate.ArrivalConflict:    "conflict",
		tidegate.ArrivalAfterDelete: "after-delete",
	}[arrival.Class]
}

type lines struct{ strings.Builder }

func (lines *lines) add(name, value string) { lines.WriteString(name + "=" + value + "\n") }

func (lines *lines) optional(name string, value *string) {
	if value == nil {
		lines.add(name, "-")
	} else {
		lines.add(name, "+"+*value)
	}
}

func (lines *lines) asset(asset *tidegate.Asset) {
	if asset == nil {
		lines.add("asset", "-")
		return
	}
	lines.optional("asset.id", asset.ID)
	lines.optional("asset.name", asset.Name)
	lines.reference("asset.asset-type", asset.Type)
	lines.reference("asset.location", asset.Location)
	lines.reference("asset.loanee", asset.Loanee)
	lines.optional("asset.created-at", asset.CreatedAt)
	lines.optional("asset.updated-at", asset.UpdatedAt)
	lines.optional("asset.field-values", asset.FieldValues)
}

func (lines *lines) reference(name string, reference *tidegate.Reference) {
	if reference == nil {
		lines.add(name, "-")
		return
	}
	lines.optional(name+".id", reference.ID)
	lines.optional(name+".name", reference.Name)
}
