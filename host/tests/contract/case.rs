//! What the mirrors are asked: a row for each thing a language might get wrong. Knows nothing of the answers.

use crate::wit::{Arrival, Asset, Event, NameValue, Reference};

/// The largest number that every language holds exactly, which the contract's numbers stay below or at.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// A body as large as one that does not fit into a queue's message.
const LARGE_BYTES: usize = 300 << 10;

/// Settings, attributes and pointers, where there are many.
const MANY: usize = 1_000;

/// Text that has something of everything: U+0000, U+FEFF in front and in the middle, the ends of each length in UTF-8,
/// surrogate pairs in UTF-16, joined and combined characters, both directions, noncharacters, every kind of line end.
const EVERYTHING: &str = "\u{feff}nul \u{0} bom \u{feff} tab\t cr\r lf\n crlf\r\n nel\u{85} ls\u{2028} ps\u{2029} \
    \u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff} \u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{fdd0} \
    Ωμέγα Кириллица עברית العربية हिन्दी বাংলা தமிழ் ไทย ქართული Հայերեն ትግርኛ ᏣᎳᎩ ខ្មែរ 한국어 日本語 中文 𠮷𝄞𐍈𓀀 \
    e\u{301}é 👩\u{200d}👩\u{200d}👧\u{200d}👦 🇪🇺 \u{202e}rtl\u{202c} \"quoted\" \\back\\ 'single' `tick` {{secret:NAME}} ${x} %s %00 =-+";

/// One row.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) event: Event,
}

/// The table.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut row = |name, event| cases.push(Case { name, event });
    row("everything that may be absent is", absent());
    row("everything is there and empty", empty());
    row("everything is there and full", full());
    row("the asset and its references are there without anything in them", hollow());
    for (name, arrival) in [
        ("a duplicate", Arrival::Duplicate),
        ("a stale one", Arrival::Stale),
        ("a conflict", Arrival::Conflict),
        ("one after the deletion", Arrival::AfterDelete),
        ("an arrival of no name", Arrival::Other(String::new())),
        ("an arrival of a later class", Arrival::Other(EVERYTHING.to_owned())),
    ] {
        row(name, Event { arrival, ..absent() });
    }
    row("the least numbers", numbers(0, Some(0), 1));
    row("numbers beyond 32 bits", numbers(1 << 32, Some((1 << 32) + 1), 1 << 31));
    row("the greatest numbers", numbers(NUMBER_MAX, Some(NUMBER_MAX), u32::MAX));
    row("text with every sort of character, wherever there is text", text_everywhere(EVERYTHING));
    row("text of one U+0000, wherever there is text", text_everywhere("\0"));
    row("text of one U+FEFF, wherever there is text", text_everywhere("\u{feff}"));
    row("text of one pair of surrogates, wherever there is text", text_everywhere("\u{1f600}"));
    row("a kind of every character of the basic plane", Event { kind: plane(), ..absent() });
    row("bytes of every value", bytes((0..=u8::MAX).collect()));
    row("bytes that are no UTF-8", bytes(vec![0xff, 0xfe, 0x00, 0xc0, 0x80, 0xed, 0xa0, 0x80]));
    row("a large body", bytes((0..LARGE_BYTES).map(|at| at.to_le_bytes()[at % 3]).collect()));
    row("many settings, attributes and pointers", many());
    for kind in ["refuse.skip", "refuse.retry", "refuse.park", "refuse.other"] {
        row(kind, Event { kind: kind.to_owned(), ..full() });
        row(kind, Event { kind: kind.to_owned(), ..empty() });
        row(kind, Event { kind: kind.to_owned(), received_at_ms: NUMBER_MAX, ..text_about(EVERYTHING) });
    }
    cases
}

fn absent() -> Event {
    Event {
        receipt: "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        source: "amj".to_owned(),
        kind: "asset.update".to_owned(),
        subject: "675".to_owned(),
        received_at_ms: 1_668_143_107_500,
        occurred_at_ms: None,
        arrival: Arrival::First,
        attempt: 1,
        content_type: None,
        body: Vec::new(),
        asset: None,
        previous: None,
        changed: Vec::new(),
        memory: None,
        settings: Vec::new(),
        attributes: Vec::new(),
    }
}

fn empty() -> Event {
    Event { receipt: String::new(), received_at_ms: 0, ..text_everywhere("") }
}

/// Each text another, so that none is taken for its neighbour.
fn full() -> Event {
    let reference = |of: &str| {
        let (id, name) = (Some(format!("{of}'s id")), Some(format!("{of}'s name")));
        Some(Reference { id, name })
    };
    Event {
        occurred_at_ms: Some(1_668_143_107_302),
        attempt: 2,
        content_type: Some("application/json".to_owned()),
        body: b"{\"a\":1}".to_vec(),
        asset: Some(Asset {
            id: Some("the asset's id".to_owned()),
            name: Some("the asset's name".to_owned()),
            asset_type: reference("type"),
            location: reference("location"),
            loanee: reference("loanee"),
            created_at: Some("2022-09-14 03:03:44.456537".to_owned()),
            updated_at: Some("2022-11-11 05:05:07.302773".to_owned()),
            field_values: Some(r#"[{"id":9}]"#.to_owned()),
        }),
        previous: Some("{\"a\":0}".to_owned()),
        changed: vec!["/a".to_owned(), String::new(), "/~0~1".to_owned()],
        memory: Some(b"remembered".to_vec()),
        settings: vec![pair("b", "2"), pair("a", "1")],
        attributes: vec![pair("d", "4"), pair("c", "3")],
        ..absent()
    }
}

fn hollow() -> Event {
    let hollow = || Some(Reference { id: None, name: None });
    let asset = Asset {
        id: None,
        name: None,
        asset_type: hollow(),
        location: hollow(),
        loanee: hollow(),
        created_at: None,
        updated_at: None,
        field_values: None,
    };
    Event { asset: Some(asset), ..absent() }
}

fn numbers(received_at_ms: u64, occurred_at_ms: Option<u64>, attempt: u32) -> Event {
    Event { received_at_ms, occurred_at_ms, attempt, ..absent() }
}

fn text_about(text: &str) -> Event {
    Event { subject: text.to_owned(), ..absent() }
}

/// This text in every field that is one, twice in every list, and as bytes.
fn text_everywhere(text: &str) -> Event {
    let some = || Some(text.to_owned());
    let reference = || Some(Reference { id: some(), name: some() });
    Event {
        receipt: text.to_owned(),
        source: text.to_owned(),
        kind: text.to_owned(),
        occurred_at_ms: Some(0),
        content_type: some(),
        body: text.as_bytes().to_vec(),
        asset: Some(Asset {
            id: some(),
            name: some(),
            asset_type: reference(),
            location: reference(),
            loanee: reference(),
            created_at: some(),
            updated_at: some(),
            field_values: some(),
        }),
        previous: some(),
        changed: vec![text.to_owned(), text.to_owned()],
        memory: Some(text.as_bytes().to_vec()),
        settings: vec![pair(text, text), pair(text, text)],
        attributes: vec![pair(text, text), pair(text, text)],
        ..text_about(text)
    }
}

/// Every character that UTF-16 writes as one unit.
fn plane() -> String {
    ('\0'..='\u{ffff}').collect()
}

fn bytes(bytes: Vec<u8>) -> Event {
    Event { body: bytes.clone(), memory: Some(bytes), ..absent() }
}

fn many() -> Event {
    let pairs = |of: &str| {
        let pairs = (0..MANY).map(|at| pair(&format!("{of} {at}"), &format!("value {at} of {of}")));
        pairs.collect()
    };
    Event {
        changed: (0..MANY).map(|at| format!("/list/{at}")).collect(),
        settings: pairs("setting"),
        attributes: pairs("attribute"),
        ..absent()
    }
}

fn pair(name: &str, value: &str) -> NameValue {
    NameValue { name: name.to_owned(), value: value.to_owned() }
}
