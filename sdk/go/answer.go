package tidegate

import "fmt"

// Decision is what a plugin wants done: HTTP, Emit, Wake, Remember, Note or OtherDecision.
type Decision interface{ isDecision() }

// HTTP asks the host to make an HTTP request.
type HTTP struct {
	Method    string
	URL       string
	Headers   []NameValue
	Body      []byte  // nil sends none
	TimeoutMs *uint32 // nil when absent
	ReplyTag  *string // nil when absent
}

// PostJSON is a POST of JSON text.
func PostJSON(url string, json []byte) HTTP {
	return HTTP{
		Method:  "POST",
		URL:     url,
		Headers: []NameValue{{Name: "content-type", Value: "application/json"}},
		Body:    json,
	}
}

// Emit is a new event for other plugins.
type Emit struct {
	Kind        string
	Subject     string
	ContentType *string // nil when absent
	Body        []byte
}

// Wake asks to be told again later.
type Wake struct {
	AfterMs uint64
	Tag     string
	Body    []byte
}

// Remember replaces this plugin's memory of the subject; nil forgets it.
type Remember []byte

// Note is a line on the event's timeline, for people.
type Note string

// OtherDecision is a kind that the contract does not name.
type OtherDecision struct {
	Kind string
	Body []byte
}

func (HTTP) isDecision()          {}
func (Emit) isDecision()          {}
func (Wake) isDecision()          {}
func (Remember) isDecision()      {}
func (Note) isDecision()          {}
func (OtherDecision) isDecision() {}

// Refusal is the plugin's own "no", as an error. An error that is none, and wraps none, parks the event: its text is the
// reason.
type Refusal struct {
	Class   RefusalClass
	AfterMs uint64 // RefusalRetryAfterMs
	Reason  string // RefusalPark and RefusalOther
}

// RefusalClass is the class of a Refusal.
type RefusalClass uint8

// The classes, in the contract's order.
const (
	RefusalSkip RefusalClass = iota
	RefusalRetryAfterMs
	RefusalPark
	RefusalOther
)

// Error says the refusal in words.
func (refusal *Refusal) Error() string {
	switch refusal.Class {
	case RefusalSkip:
		return "skip"
	case RefusalRetryAfterMs:
		return fmt.Sprintf("retry after %d ms", refusal.AfterMs)
	case RefusalPark:
		return "park: " + refusal.Reason
	default:
		return refusal.Reason
	}
}

// Skip says that this event is none of this plugin's business.
func Skip() error { return &Refusal{Class: RefusalSkip} }

// RetryAfterMs asks to be asked again after so many milliseconds.
func RetryAfterMs(ms uint64) error { return &Refusal{Class: RefusalRetryAfterMs, AfterMs: ms} }

// Park puts the event out of the way, for this reason, until a person looks.
func Park(reason string) error { return &Refusal{Class: RefusalPark, Reason: reason} }

// Refuse is a refusal that the contract does not name.
func Refuse(reason string) error { return &Refusal{Class: RefusalOther, Reason: reason} }
