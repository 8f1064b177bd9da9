// From the bindings' types to the SDK's and back: the package that the bindings call, and that calls the plugin. It is
// written beside the bindings when a component is made; PLUGIN stands for the path of the plugin's package.
package export_tidegate_plugin_handler

import (
	"errors"

	contract "wit_component/tidegate_plugin_handler"

	wit "go.bytecodealliance.org/pkg/wit/types"

	plugin "PLUGIN"
	"tidegate"
)

// Handle asks the plugin. A panic ends the program, whose last words are then in the plugin's log.
func Handle(event contract.Event) wit.Result[[]contract.Decision, contract.Refusal] {
	decisions, err := plugin.Handle(eventOf(event))
	if err != nil {
		return wit.Err[[]contract.Decision](refusalOf(err))
	}
	made := make([]contract.Decision, len(decisions))
	for at, decision := range decisions {
		made[at] = decisionOf(decision)
	}
	return wit.Ok[[]contract.Decision, contract.Refusal](made)
}

func eventOf(event contract.Event) tidegate.Event {
	return tidegate.Event{
		Receipt:      event.Receipt,
		Source:       event.Source,
		Kind:         event.Kind,
		Subject:      event.Subject,
		ReceivedAtMs: event.ReceivedAtMs,
		OccurredAtMs: pointer(event.OccurredAtMs),
		Arrival:      arrivalOf(event.Arrival),
		Attempt:      event.Attempt,
		ContentType:  pointer(event.ContentType),
		Body:         event.Body,
		Asset:        assetOf(event.Asset),
		Previous:     pointer(event.Previous),
		Changed:      event.Changed,
		Memory:       memoryOf(event.Memory),
		Settings:     namesOf(event.Settings),
		Attributes:   namesOf(event.Attributes),
	}
}

func pointer[T any](option wit.Option[T]) *T {
	if option.IsNone() {
		return nil
	}
	return tidegate.Some(option.Some())
}

func option[T any](there *T) wit.Option[T] {
	if there == nil {
		return wit.None[T]()
	}
	return wit.Some(*there)
}

// Both lists of classes are in the contract's order.
func arrivalOf(arrival contract.Arrival) tidegate.Arrival {
	class := tidegate.ArrivalClass(arrival.Tag())
	if class == tidegate.ArrivalOther {
		return tidegate.Arrival{Class: class, Words: arrival.Other()}
	}
	return tidegate.Arrival{Class: class}
}

func assetOf(from wit.Option[contract.Asset]) *tidegate.Asset {
	if from.IsNone() {
		return nil
	}
	asset := from.Some()
	return &tidegate.Asset{
		ID:          pointer(asset.Id),
		Name:        pointer(asset.Name),
		Type:        referenceOf(asset.AssetType),
		Location:    referenceOf(asset.Location),
		Loanee:      referenceOf(asset.Loanee),
		CreatedAt:   pointer(asset.CreatedAt),
		UpdatedAt:   pointer(asset.UpdatedAt),
		FieldValues: pointer(asset.FieldValues),
	}
}

func referenceOf(from wit.Option[contract.Reference]) *tidegate.Reference {
	if from.IsNone() {
		return nil
	}
	reference := from.Some()
	return &tidegate.Reference{ID: pointer(reference.Id), Name: pointer(reference.Name)}
}

// Empty is not absent, and no bytes may be nowhere.
func memoryOf(memory wit.Option[[]byte]) []byte {
	if memory.IsNone() {
		return nil
	}
	return append([]byte{}, memory.Some()...)
}

func namesOf(from []contract.NameValue) []tidegate.NameValue {
	names := make([]tidegate.NameValue, len(from))
	for at, one := range from {
		names[at] = tidegate.NameValue{Name: one.Name, Value: one.Value}
	}
	return names
}

func decisionOf(decision tidegate.Decision) contract.Decision {
	switch made := decision.(type) {
	case tidegate.HTTP:
		return contract.MakeDecisionHttp(httpOf(made))
	case tidegate.Emit:
		return contract.MakeDecisionEmit(contract.Emit{
			Kind:        made.Kind,
			Subject:     made.Subject,
			ContentType: option(made.ContentType),
			Body:        made.Body,
		})
	case tidegate.Wake:
		return contract.MakeDecisionWake(contract.Wake{AfterMs: made.AfterMs, Tag: made.Tag, Body: made.Body})
	case tidegate.Remember:
		return contract.MakeDecisionRemember(bytes(made))
	case tidegate.Note:
		return contract.MakeDecisionNote(string(made))
	case tidegate.OtherDecision:
		return contract.MakeDecisionOther(contract.OtherDecision{Kind: made.Kind, Body: made.Body})
	default:
		panic("a decision of the plugin is nil")
	}
}

func httpOf(http tidegate.HTTP) contract.Http {
	headers := make([]contract.NameValue, len(http.Headers))
	for at, header := range http.Headers {
		headers[at] = contract.NameValue{Name: header.Name, Value: header.Value}
	}
	return contract.Http{
		Method:    http.Method,
		Url:       http.URL,
		Headers:   headers,
		Body:      bytes(http.Body),
		TimeoutMs: option(http.TimeoutMs),
		ReplyTag:  option(http.ReplyTag),
	}
}

func bytes(there []byte) wit.Option[[]byte] {
	if there == nil {
		return wit.None[[]byte]()
	}
	return wit.Some(there)
}

func refusalOf(err error) contract.Refusal {
	var refusal *tidegate.Refusal
	if !errors.As(err, &refusal) {
		return contract.MakeRefusalPark(err.Error())
	}
	switch refusal.Class {
	case tidegate.RefusalSkip:
		return contract.MakeRefusalSkip()
	case tidegate.RefusalRetryAfterMs:
		return contract.MakeRefusalRetryAfterMs(refusal.AfterMs)
	case tidegate.RefusalPark:
		return contract.MakeRefusalPark(refusal.Reason)
	default:
		return contract.MakeRefusalOther(refusal.Reason)
	}
}
