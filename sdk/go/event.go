// Package tidegate is what a plugin in Go is written with: the contract in plain types. It knows nothing of any one
// plugin and nothing of WebAssembly, so a plugin's own tests run anywhere. What each field means, and what its absence
// means, is said in wit/v1/plugin.wit.
//
// A plugin is a package with one function:
//
//	func Handle(event tidegate.Event) ([]tidegate.Decision, error)
//
// Each call has an instance of its own: nothing in a plugin's variables outlives it. What a plugin prints is its log.
package tidegate

// Event is what a plugin is told.
type Event struct {
	Receipt      string
	Source       string
	Kind         string
	Subject      string
	ReceivedAtMs uint64
	OccurredAtMs *uint64 // nil when absent
	Arrival      Arrival
	Attempt      uint32
	ContentType  *string // nil when absent
	Body         []byte
	Asset        *Asset  // nil when absent
	Previous     *string // nil when absent
	Changed      []string
	Memory       []byte // nil when absent, not nil when empty
	Settings     []NameValue
	Attributes   []NameValue
}

// Setting is the setting of this name, empty when there is none.
func (event *Event) Setting(name string) string { return find(event.Settings, name) }

// Attribute is the attribute of this name, empty when there is none.
func (event *Event) Attribute(name string) string { return find(event.Attributes, name) }

func find(list []NameValue, name string) string {
	for _, one := range list {
		if one.Name == name {
			return one.Value
		}
	}
	return ""
}

// NameValue is a setting, an attribute or a header.
type NameValue struct {
	Name, Value string
}

// Asset is a typed view of the body of an asset event. What is absent is nil.
type Asset struct {
	ID          *string
	Name        *string
	Type        *Reference
	Location    *Reference
	Loanee      *Reference
	CreatedAt   *string
	UpdatedAt   *string
	FieldValues *string
}

// Reference is a thing the asset points at. What is absent is nil.
type Reference struct {
	ID   *string
	Name *string
}

// Arrival is how a delivery stands to those before it.
type Arrival struct {
	Class ArrivalClass
	Words string // when the class is ArrivalOther: the class in words
}

// ArrivalClass is the class of an Arrival.
type ArrivalClass uint8

// The classes, in the contract's order.
const (
	ArrivalFirst ArrivalClass = iota
	ArrivalDuplicate
	ArrivalStale
	ArrivalConflict
	ArrivalAfterDelete
	ArrivalOther
)

// Or is what is there, or something else where nothing is.
func Or[T any](there *T, otherwise T) T {
	if there == nil {
		return otherwise
	}
	return *there
}

// Some is a value as one that might have been absent.
func Some[T any](value T) *T { return &value }
