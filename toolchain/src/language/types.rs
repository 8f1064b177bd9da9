//! TypeScript's declarations of the contract, as componentize-qjs hands its values over: `contract.d.ts` of the SDK is
//! this, and a contract that is frozen needs it made no second time, so it is compared in tests alone. Knows nothing
//! of compilers.

use anyhow::{Result, bail};
use std::fmt::Write as _;
use wit_parser::{Docs, Resolve, Type, TypeDef, TypeDefKind, WorldId, WorldItem};

/// The declarations of every type that a world's exported interfaces have.
fn declare(resolve: &Resolve, world: WorldId) -> Result<String> {
    let mut text = "// Made from wit/v1/plugin.wit; a test of the toolchain compares.\n".to_owned();
    for item in resolve.worlds[world].exports.values() {
        let WorldItem::Interface { id, .. } = item else {
            bail!("the world exports something else than interfaces");
        };
        for (name, ty) in &resolve.interfaces[*id].types {
            text.push('\n');
            write_docs(&mut text, &resolve.types[*ty].docs, "");
            write_type(&mut text, resolve, name, &resolve.types[*ty])?;
        }
    }
    Ok(text)
}

fn write_type(text: &mut String, resolve: &Resolve, name: &str, ty: &TypeDef) -> Result<()> {
    let name = camel(name, true);
    match &ty.kind {
        TypeDefKind::Record(record) => {
            writeln!(text, "export interface {name} {{")?;
            for field in &record.fields {
                write_docs(text, &field.docs, "  ");
                writeln!(text, "  {}: {};", camel(&field.name, false), spelled(resolve, &field.ty)?)?;
            }
            writeln!(text, "}}")?;
        }
        TypeDefKind::Variant(variant) => {
            write!(text, "export type {name} =")?;
            for case in &variant.cases {
                text.push('\n');
                write_docs(text, &case.docs, "  ");
                match &case.ty {
                    None => write!(text, "  | {{ tag: '{}' }}", case.name)?,
                    Some(ty) => {
                        write!(text, "  | {{ tag: '{}'; val: {} }}", case.name, spelled(resolve, ty)?)?;
                    }
                }
            }
            writeln!(text, ";")?;
        }
        other => bail!("{name} is a {}, which the contract did not have before", other.as_str()),
    }
    Ok(())
}

/// How TypeScript spells a type where it is used.
fn spelled(resolve: &Resolve, ty: &Type) -> Result<String> {
    Ok(match ty {
        Type::String => "string".to_owned(),
        // Exact up to 2^53, which is enough for every number of the contract.
        Type::U32 | Type::U64 => "number".to_owned(),
        Type::Id(id) => {
            let ty = &resolve.types[*id];
            match (&ty.kind, &ty.name) {
                (_, Some(name)) => camel(name, true),
                (TypeDefKind::Option(inner), None) => format!("{} | null", spelled(resolve, inner)?),
                (TypeDefKind::List(Type::U8), None) => "Uint8Array".to_owned(),
                (TypeDefKind::List(inner), None) => format!("{}[]", spelled(resolve, inner)?),
                (other, None) => bail!("a {} is not spelled yet", other.as_str()),
            }
        }
        other => bail!("{other:?} is not spelled yet"),
    })
}

fn write_docs(text: &mut String, docs: &Docs, indent: &str) {
    let lines: Vec<_> = docs.contents.iter().flat_map(|contents| contents.lines()).collect();
    match lines[..] {
        [] => {}
        [line] => text.push_str(&format!("{indent}/** {line} */\n")),
        _ => {
            text.push_str(&format!("{indent}/**\n"));
            lines.iter().for_each(|line| text.push_str(&format!("{indent} * {line}\n")));
            text.push_str(&format!("{indent} */\n"));
        }
    }
}

/// `name-value` as `nameValue`, or `NameValue` when it is the name of a type.
fn camel(name: &str, is_type: bool) -> String {
    let mut is_upper = is_type;
    let mut camel = String::new();
    for letter in name.chars() {
        match letter {
            '-' => is_upper = true,
            letter if is_upper => {
                camel.push(letter.to_ascii_uppercase());
                is_upper = false;
            }
            letter => camel.push(letter),
        }
    }
    camel
}

#[test]
fn the_sdk_declares_the_contract_as_it_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(root.join("wit/v1")).expect("the contract parses");
    let world = resolve.select_world(&[package], Some(super::WORLD)).expect("it has the world");
    let declared = declare(&resolve, world).expect("every type is spelled");
    let path = root.join("sdk/javascript/contract.d.ts");
    let kept = std::fs::read_to_string(&path).expect("the SDK's declarations");
    assert!(
        kept == declared,
        "sdk/javascript/contract.d.ts is not what wit/v1 says; it is to be:\n{declared}"
    );
}
