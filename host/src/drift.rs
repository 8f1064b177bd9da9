//! What differs between two answers about one event, field by field. Pure.

use crate::sandbox::Answer;
use crate::workbench::said::{FaultSaid, Said};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fields that are named of one drift; of more, the first.
pub const FIELDS_MAX: usize = 16;
/// Characters of a value that are kept.
pub const VALUE_CHARS_MAX: usize = 200;
/// A plugin's functions that are named of a fault, the innermost first.
const FUNCTIONS_MAX: usize = 8;

/// How the later answer stands to the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing differs.
    Same,
    /// All that was decided earlier is decided, and more.
    Added,
    /// Part of what was decided earlier is decided, or nothing, and nothing else.
    Removed,
    /// Something is decided otherwise.
    Changed,
    /// It faults, which the earlier did not.
    NewFault,
    /// Both fault, in different ways.
    OtherFault,
    /// It does not fault, which the earlier did.
    FaultGone,
}

impl Kind {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::NewFault => "new-fault",
            Self::OtherFault => "other-fault",
            Self::FaultGone => "fault-gone",
        }
    }
}

/// Where two answers part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// How the later answer stands to the earlier.
    pub kind: Kind,
    /// What differs, in the order of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// How many more fields differ than are named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fields_left_out: usize,
    /// The later answer's fault; where it has none, the earlier's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultSaid>,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    /// Where it is in the answer as `tidegate plugin run --json` prints it, as a JSON pointer (RFC 6901), which goes on into
    /// texts that are JSON themselves: `/decisions/0/http/body/text/loanee/name`. A decision's number is that of the later
    /// answer, where it is in that one.
    pub pointer: String,
    /// Its earlier value as JSON, cut where it is long; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its later value, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What differs between what was answered `before` and `after`.
#[must_use]
pub fn compare(before: &Answer, after: &Answer) -> Drift {
    let kind = kind(before, after);
    if kind == Kind::Same {
        return Drift { kind, fields: Vec::new(), fields_left_out: 0, fault: None };
    }
    let fault = after.as_ref().err().or(before.as_ref().err()).map(|fault| {
        let mut said = FaultSaid::from(fault);
        said.functions.truncate(FUNCTIONS_MAX);
        said.text = cut(said.text);
        said
    });
    let mut found = Found::default();
    found.answers(&value(before), &value(after));
    Drift { kind, fields: found.fields, fields_left_out: found.left_out, fault }
}

fn kind(before: &Answer, after: &Answer) -> Kind {
    match (before, after) {
        (Ok(before), Ok(after)) if before == after => Kind::Same,
        (Ok(before), Ok(after)) => {
            let (before, after) =
                (before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default());
            match (is_within(before, after), is_within(after, before)) {
                (true, false) => Kind::Added,
                (false, true) => Kind::Removed,
                _ => Kind::Changed,
            }
        }
        (Ok(_), Err(_)) => Kind::NewFault,
        (Err(_), Ok(_)) => Kind::FaultGone,
        (Err(before), Err(after)) => {
            let (before, after) = (FaultSaid::from(before), FaultSaid::from(after));
            // Where it happened is another place in every build.
            if (before.name, before.text) == (after.name, after.text) { Kind::Same } else { Kind::OtherFault }
        }
    }
}

/// Whether all of `part` is in `whole`, in that order.
fn is_within<T: PartialEq>(part: &[T], whole: &[T]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|wanted| whole.any(|found| found == wanted))
}

fn value(answer: &Answer) -> Value {
    serde_json::to_value(Said::from(answer)).expect("texts and numbers have a JSON form")
}

/// A value as JSON, cut where it is long.
fn text(value: &Value) -> String {
    cut(value.to_string())
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(VALUE_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Fields as they are found.
#[derive(Default)]
struct Found {
    fields: Vec<Field>,
    left_out: usize,
}

impl Found {
    fn add(&mut self, pointer: &str, before: Option<&Value>, after: Option<&Value>) {
        if self.fields.len() >= FIELDS_MAX {
            self.left_out += 1;
            return;
        }
        let (before, after) = (before.map(text), after.map(text));
        self.fields.push(Field { pointer: pointer.to_owned(), before, after });
    }

    fn answers(&mut self, before: &Value, after: &Value) {
        let decisions = |answer: &Value| answer.get("decisions").and_then(Value::as_array).cloned();
        match (decisions(before), decisions(after)) {
            (Some(before), Some(after)) => self.decisions(&before, &after),
            _ => self.values("", before, after),
        }
    }

    /// What is the same at the start and at the end is set aside; what is left is compared in pairs, and the rest is there
    /// on one side alone.
    fn decisions(&mut self, before: &[Value], after: &[Value]) {
        let start = before.iter().zip(after).take_while(|(a, b)| a == b).count();
        let rest = |all: &[Value]| all.get(start..).unwrap_or_default().to_vec();
        let (mut before, mut after) = (rest(before), rest(after));
        while before.last().is_some_and(|last| Some(last) == after.last()) {
            before.pop();
            after.pop();
        }
        for at in 0..before.len().max(after.len()) {
            let pointer = format!("/decisions/{}", start + at);
            match (before.get(at), after.get(at)) {
                (Some(before), Some(after)) => self.values(&pointer, before, after),
                (before, after) => self.add(&pointer, before, after),
            }
        }
    }

    fn values(&mut self, pointer: &str, before: &Value, after: &Value) {
        match (before, after) {
            (before, after) if before == after => {}
            (Value::Object(before), Value::Object(after)) => self.objects(pointer, before, after),
            (Value::Array(before), Value::Array(after)) => {
                for at in 0..before.len().max(after.len()) {
                    self.either(&format!("{pointer}/{at}"), before.get(at), after.get(at));
                }
            }
            (Value::String(before_text), Value::String(after_text)) => {
                let named = self.fields.len() + self.left_out;
                if let (Some(before), Some(after)) = (inner(before_text), inner(after_text)) {
                    self.values(pointer, &before, &after);
                }
                // Texts may say the same in other bytes: in another order, with other spaces.
                if self.fields.len() + self.left_out == named {
                    self.add(pointer, Some(before), Some(after));
                }
            }
            (before, after) => self.add(pointer, Some(before), Some(after)),
        }
    }

    fn objects(&mut self, pointer: &str, before: &Map<String, Value>, after: &Map<String, Value>) {
        let gone = before.keys().filter(|key| !after.contains_key(*key));
        for key in after.keys().chain(gone) {
            let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            self.either(&pointer, before.get(key), after.get(key));
        }
    }

    fn either(&mut self, pointer: &str, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (Some(before), Some(after)) => self.values(pointer, before, after),
            (before, after) => self.add(pointer, before, after),
        }
    }
}

/// What a text is as JSON, when it is an object or a list: of a number or a word nothing more is to be said.
fn inner(text: &str) -> Option<Value> {
    let value = serde_json::from_str::<Value>(text).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

#[cfg(test)]
mod tests;
