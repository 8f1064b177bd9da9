// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

// The bindings call the package of this name.
package export_tidegate_plugin_handler

import (
	"encoding/json/jsontext"

	wit "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/tidegate_plugin_handler"
)

// An event in, decisions out; the error is the refusal.
func Handle(event Event) wit.Result[[]Decision, Refusal] {
	loanee := ""
	if event.Kind == "asset.update" && event.Asset.IsSome() {
		loanee = loaneeOf(event.Asset.Some())
	}
	if loanee == "" {
		return wit.Ok[[]Decision, Refusal](nil)
	}
	url := setting(event, "notice_url")
	if url == "" {
		return wit.Err[[]Decision](MakeRefusalPark("the setting `notice_url` is missing: say where notices go"))
	}
	asset := event.Asset.Some()
	body := []byte(`{"text":`)
	body = quoted(body, title(asset)+" is on loan to "+loanee)
	body = append(body, `,"asset":`...)
	body = quoted(body, asset.Id.SomeOr(event.Subject))
	body = append(body, `,"receipt":`...)
	body = quoted(body, event.Receipt)
	body = append(body, '}')
	return wit.Ok[[]Decision, Refusal]([]Decision{post(url, body)})
}

// The name of who has the asset, empty when this event does not say that somebody has.
func loaneeOf(asset Asset) string {
	loanee := asset.Loanee.SomeOr(Reference{})
	if name := loanee.Name.SomeOr(""); name != "" {
		return name
	}
	if id := loanee.Id.SomeOr(""); id != "" {
		return "person " + id
	}
	return ""
}

// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
func title(asset Asset) string {
	name := asset.Name.SomeOr("")
	if name == "" {
		name = "An asset"
	}
	if kind := asset.AssetType.SomeOr(Reference{}).Name.SomeOr(""); kind != "" {
		name += " (" + kind + ")"
	}
	return name
}

// The setting of this name, empty when there is none.
func setting(event Event, name string) string {
	for _, setting := range event.Settings {
		if setting.Name == name {
			return setting.Value
		}
	}
	return ""
}

// Appends a string of JSON. `encoding/json` would escape U+2028 as well, which JSON does not ask for.
func quoted(to []byte, text string) []byte {
	to, err := jsontext.AppendQuote(to, text)
	if err != nil {
		panic(err) // Text of an event is UTF-8: the host has seen to it.
	}
	return to
}

func post(url string, body []byte) Decision {
	return MakeDecisionHttp(Http{
		Method:    "POST",
		Url:       url,
		Headers:   []NameValue{{Name: "content-type", Value: "application/json"}},
		Body:      wit.Some(body),
		TimeoutMs: wit.None[uint32](),
		ReplyTag:  wit.None[string](),
	})
}
