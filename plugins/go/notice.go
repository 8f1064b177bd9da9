// Package notice tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a
// short notice to the URL in its settings. It knows nothing of HTTP: the host makes the request.
package notice

import (
	"encoding/json/v2"

	"tidegate"
)

// notice is the JSON that is posted.
type notice struct {
	Text    string `json:"text"`
	Asset   string `json:"asset"`
	Receipt string `json:"receipt"`
}

// Handle is told an event and decides; an error is its refusal.
func Handle(event tidegate.Event) ([]tidegate.Decision, error) {
	asset := event.Asset
	if event.Kind != "asset.update" || asset == nil {
		return nil, nil
	}
	loanee := loaneeOf(asset)
	if loanee == "" {
		return nil, nil
	}
	url := event.Setting("notice_url")
	if url == "" {
		return nil, tidegate.Park("the setting `notice_url` is missing: say where notices go")
	}
	body, err := json.Marshal(notice{
		Text:    title(asset) + " is on loan to " + loanee,
		Asset:   tidegate.Or(asset.ID, event.Subject),
		Receipt: event.Receipt,
	})
	if err != nil {
		return nil, err
	}
	return []tidegate.Decision{tidegate.PostJSON(url, body)}, nil
}

// loaneeOf is the name of who has the asset, empty when this event does not say that somebody has.
func loaneeOf(asset *tidegate.Asset) string {
	loanee := tidegate.Or(asset.Loanee, tidegate.Reference{})
	if name := tidegate.Or(loanee.Name, ""); name != "" {
		return name
	}
	if id := tidegate.Or(loanee.ID, ""); id != "" {
		return "person " + id
	}
	return ""
}

// title is `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
func title(asset *tidegate.Asset) string {
	name := tidegate.Or(asset.Name, "")
	if name == "" {
		name = "An asset"
	}
	if kind := tidegate.Or(tidegate.Or(asset.Type, tidegate.Reference{}).Name, ""); kind != "" {
		name += " (" + kind + ")"
	}
	return name
}
