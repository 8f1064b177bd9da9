//! What a component is made of, read from its bytes without running or compiling it. Pure.

use serde::Serialize;
use tidegate_envelope::Digest;
use wasmparser::{
    ImportSectionReader, KnownCustom, Name, NameSectionReader, Parser, Payload, ProducersSectionReader,
    TypeRef,
};

/// What stands in a component's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anatomy {
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256, as 64 hexadecimal digits.
    pub sha256: String,
    /// What it exports, by name.
    pub exports: Vec<String>,
    /// What it imports, by name.
    pub imports: Vec<String>,
    /// What it was made with, as the tools wrote it: name and version, each once.
    pub made_with: Vec<(String, String)>,
    /// How many functions it has.
    pub functions: u32,
    /// How many of them have a name, which a backtrace then shows.
    pub functions_named: u32,
}

impl Anatomy {
    /// Reads the bytes as far as they can be read: what is damaged is for admission to refuse.
    #[must_use]
    pub fn of(component: &[u8]) -> Self {
        let mut anatomy = Self {
            bytes: component.len(),
            sha256: Digest::of(component).to_string(),
            exports: Vec::new(),
            imports: Vec::new(),
            made_with: Vec::new(),
            functions: 0,
            functions_named: 0,
        };
        let mut depth = 0_u32;
        // Functions that the module being read imports: they come first in its numbers, and are no functions of its own.
        let mut imported = 0;
        for payload in Parser::new(0).parse_all(component) {
            let Ok(payload) = payload else { break };
            match &payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::Version { .. } => imported = 0,
                Payload::ImportSection(imports) => imported = functions_imported(imports),
                Payload::CustomSection(section) if let KnownCustom::Name(names) = section.as_known() => {
                    anatomy.functions_named += functions_named(names, imported);
                }
                _ => anatomy.note(&payload, depth == 0),
            }
        }
        anatomy
    }

    fn note(&mut self, payload: &Payload<'_>, is_outermost: bool) {
        match payload {
            Payload::ComponentImportSection(imports) if is_outermost => {
                let names = imports.clone().into_iter().flatten().map(|import| import.name.name.to_owned());
                self.imports.extend(names);
            }
            Payload::ComponentExportSection(exports) if is_outermost => {
                let names = exports.clone().into_iter().flatten().map(|export| export.name.name.to_owned());
                self.exports.extend(names);
            }
            Payload::FunctionSection(functions) => self.functions += functions.count(),
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(producers) = section.as_known() {
                    self.note_producers(producers);
                }
            }
            _ => {}
        }
    }

    fn note_producers(&mut self, producers: ProducersSectionReader<'_>) {
        for value in producers.into_iter().flatten().flat_map(|field| field.values.into_iter().flatten()) {
            let made = (value.name.to_owned(), value.version.to_owned());
            if !self.made_with.contains(&made) {
                self.made_with.push(made);
            }
        }
    }
}

fn functions_imported(imports: &ImportSectionReader<'_>) -> u32 {
    let imports = imports.clone().into_imports().flatten();
    let count =
        imports.filter(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// How many functions have a name whose number is not below this.
fn functions_named(names: NameSectionReader<'_>, from: u32) -> u32 {
    let counts = names.into_iter().flatten().map(|name| match name {
        Name::Function(functions) => {
            functions.into_iter().flatten().filter(|name| name.index >= from).count()
        }
        _ => 0,
    });
    u32::try_from(counts.sum::<usize>()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_bytes_is_found() {
        let component = wat::parse_str(
            r#"(component
                 (import "wasi:cli/exit@0.2.0" (instance))
                 (core module $m (func $named (export "f")) (func) (@producers (language "Rust" "1.95")))
                 (core instance $i (instantiate $m))
                 (func (export "run") (canon lift (core func $i "f"))))"#,
        )
        .expect("a component");
        let anatomy = Anatomy::of(&component);
        assert_eq!(anatomy.imports, ["wasi:cli/exit@0.2.0"]);
        assert_eq!(anatomy.exports, ["run"]);
        assert_eq!(anatomy.made_with, [("Rust".to_owned(), "1.95".to_owned())]);
        assert_eq!((anatomy.functions, anatomy.functions_named), (2, 1));
    }

    #[test]
    fn any_bytes_have_an_anatomy() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0\xff\xff", b"#!/bin/sh"] {
            assert_eq!(Anatomy::of(bytes).exports, Vec::<String>::new());
        }
    }
}
