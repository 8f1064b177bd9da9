//! Says "no" to every function of WASI that nothing is known of, in the words that its type has for it. Knows no function
//! by name.

use super::{CallState, ended};
use wasmtime::StoreContextMut;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{LinkerInstance, Type, Val};

/// How WASI's interfaces say that something may not be done, or cannot be: files, sockets, all others, HTTP.
const CASES: [&str; 5] = ["access", "access-denied", "not-supported", "unsupported", "HTTP-request-denied"];

/// An answer that gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Denial {
    /// An error, as one of an enum's cases.
    Enum(String),
    /// An error, as a variant's case that says no more.
    Variant(String),
    /// Nothing, where there may be something.
    Nothing,
    /// None, where there may be several.
    Empty,
    /// The type has no way to say it.
    Unsayable,
}

/// Adds a function that gives nothing.
pub(super) fn add(
    instance: &mut LinkerInstance<'_, CallState>,
    interface: &str,
    name: &str,
    ty: &ComponentFunc,
) -> wasmtime::Result<()> {
    let denial = denial(ty);
    let unsayable = format!("called `{name}` of {interface}, which this host has not");
    instance.func_new(name, move |mut store, _, arguments, results| {
        let_go(&mut store, arguments)?;
        let [result] = results else {
            return Err(ended(unsayable.as_str()));
        };
        let error = |case: Val| Val::Result(Err(Some(Box::new(case))));
        *result = match &denial {
            Denial::Enum(case) => error(Val::Enum(case.clone())),
            Denial::Variant(case) => error(Val::Variant(case.clone(), None)),
            Denial::Nothing => Val::Option(None),
            Denial::Empty => Val::List(Vec::new()),
            Denial::Unsayable => return Err(ended(unsayable.as_str())),
        };
        Ok(())
    })
}

/// A function must not keep what it was lent, and need not keep what it was given.
fn let_go(store: &mut StoreContextMut<'_, CallState>, arguments: &[Val]) -> wasmtime::Result<()> {
    let mut inside = |values: &[Val]| let_go(store, values);
    for argument in arguments {
        match argument {
            Val::List(values) | Val::Tuple(values) => inside(values)?,
            Val::Record(fields) => {
                fields.iter().try_for_each(|(_, value)| inside(std::slice::from_ref(value)))?
            }
            Val::Variant(_, Some(value))
            | Val::Option(Some(value))
            | Val::Result(Ok(Some(value)) | Err(Some(value))) => inside(std::slice::from_ref(value))?,
            _ => {}
        }
    }
    for argument in arguments {
        if let Val::Resource(resource) = argument {
            resource.resource_drop(&mut *store)?;
        }
    }
    Ok(())
}

/// The cases are tried in their order: the first that the type has is the most fitting.
fn denial(ty: &ComponentFunc) -> Denial {
    let mut results = ty.results();
    let error = match (results.next(), results.next()) {
        (Some(Type::Result(result)), None) => result.err(),
        (Some(Type::Option(_)), None) => return Denial::Nothing,
        (Some(Type::List(_)), None) => return Denial::Empty,
        _ => None,
    };
    let fitting = |has: &dyn Fn(&str) -> bool| CASES.into_iter().find(|case| has(case)).map(str::to_owned);
    let denial = match error {
        Some(Type::Enum(ty)) => fitting(&|case| ty.names().any(|name| name == case)).map(Denial::Enum),
        Some(Type::Variant(ty)) => {
            fitting(&|case| ty.cases().any(|it| it.name == case && it.ty.is_none())).map(Denial::Variant)
        }
        _ => None,
    };
    denial.unwrap_or(Denial::Unsayable)
}
