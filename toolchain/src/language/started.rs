//! Starts a module while its component is made: `_initialize` runs here once, with the stand-in for WASI that the component
//! will have, and what it left in memory and globals is what every instance begins with. Knows nothing of languages.
//!
//! Nothing of this machine is seen meanwhile: the stand-in's clock and chance are numbers in its text, and it goes on in the
//! component where it stopped here. So the same module gives the same bytes everywhere.

use anyhow::{Context as _, Result, bail};
use std::ops::Range;
use wasm_encoder::{ConstExpr, Encode as _, Module, RawSection, SectionId};
use wasmi::{Caller, Engine, Extern, Func, Instance, Memory, Store, Val};
use wasmparser::{Operator, Parser, Payload};

/// What is run.
const START: &str = "_initialize";

/// How much may be run, in wasmi's units, about one per instruction: seconds. Who needs more starts in each instance.
const FUEL: u64 = 500_000_000;

/// What the globals are exported as, with their numbers, to be read.
const GLOBAL: &str = "tidegate:global:";

/// Zero bytes in memory that part two segments of data: fewer cost more as a segment than as zeros.
const GAP_BYTES: usize = 64;

/// A module and its stand-in for WASI, as they are after the start.
pub(super) struct Started {
    pub(super) module: Vec<u8>,
    pub(super) stand_in: Vec<u8>,
}

/// Runs a module's start. `None` when it cannot be done here: it writes something, traps, takes too long, or a later
/// instruction would ask for what only the first start had. Then each instance does it, as ever.
pub(super) fn start(module: &[u8], stand_in: &[u8]) -> Result<Option<Started>> {
    if !is_settled_by_its_memory(module)? {
        return Ok(None);
    }
    let (numbers, of_stand_in) = (mutable_globals(module)?, mutable_globals(stand_in)?);
    let mut config = wasmi::Config::default();
    config.consume_fuel(true);
    let engine = Engine::new(&config);
    let mut store = Store::new(&engine, None);
    store.set_fuel(FUEL).context("set the fuel")?;
    let exported = with_globals(module, &numbers)?;
    let Ok(instance) = instantiate_module(&mut store, &exported) else { return Ok(None) };
    let Some(memory) = instance.get_memory(&store, "memory") else { return Ok(None) };
    let beside = instantiate_stand_in(&mut store, &with_globals(stand_in, &of_stand_in)?, memory)?;
    *store.data_mut() = Some(beside);
    let Some(begin) = instance.get_func(&store, START) else { return Ok(None) };
    if begin.call(&mut store, &[], &mut []).is_err() {
        return Ok(None);
    }
    let globals = |instance: &Instance, numbers: &[u32]| {
        let value = |number: &u32| {
            Some((*number, constant(&instance.get_global(&store, &name(*number))?.get(&store))?))
        };
        numbers.iter().map(value).collect::<Option<Vec<_>>>()
    };
    let (Some(values), Some(values_beside)) = (globals(&instance, &numbers), globals(&beside, &of_stand_in))
    else {
        return Ok(None);
    };
    Ok(Some(Started {
        module: settled(module, Some(memory.data(&store)), &values)?,
        stand_in: settled(stand_in, None, &values_beside)?,
    }))
}

/// Whether nothing that a start does is kept but in memory and globals, and no later instruction reads what is replaced.
fn is_settled_by_its_memory(module: &[u8]) -> Result<bool> {
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("read the module")? {
            Payload::StartSection { .. } | Payload::DataCountSection { .. } | Payload::TagSection(_) => {
                return Ok(false);
            }
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader()? {
                    if matches!(
                        operator?,
                        Operator::TableSet { .. }
                            | Operator::TableGrow { .. }
                            | Operator::TableFill { .. }
                            | Operator::TableCopy { .. }
                            | Operator::TableInit { .. }
                            | Operator::ElemDrop { .. }
                    ) {
                        return Ok(false);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(true)
}

/// The numbers of the globals that may change.
fn mutable_globals(module: &[u8]) -> Result<Vec<u32>> {
    let (mut number, mut mutable) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("read the module")? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if matches!(import?.ty, wasmparser::TypeRef::Global(_)) {
                        bail!("the module imports a global");
                    }
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    if global?.ty.mutable {
                        mutable.push(number);
                    }
                    number += 1;
                }
            }
            _ => {}
        }
    }
    Ok(mutable)
}

fn name(global: u32) -> String {
    format!("{GLOBAL}{global}")
}

/// The module with these globals exported.
fn with_globals(module: &[u8], numbers: &[u32]) -> Result<Vec<u8>> {
    let mut made = Module::new();
    sections(module, |payload, range| {
        if let Payload::ExportSection(exports) = payload {
            let mut section = kept_exports(exports.clone(), |_| true)?;
            for number in numbers {
                section.export(&name(*number), wasm_encoder::ExportKind::Global, *number);
            }
            made.section(&section);
        } else {
            copy(&mut made, module, range);
        }
        Ok(())
    })?;
    Ok(made.finish())
}

fn kept_exports(
    exports: wasmparser::ExportSectionReader<'_>,
    is_kept: impl Fn(&str) -> bool,
) -> Result<wasm_encoder::ExportSection> {
    let mut section = wasm_encoder::ExportSection::new();
    for export in exports {
        let export = export?;
        if is_kept(export.name) {
            section.export(export.name, export.kind.into(), export.index);
        }
    }
    Ok(section)
}

/// Calls `each` with each section, and where the section is.
fn sections(
    module: &[u8],
    mut each: impl FnMut(&Payload<'_>, (u8, Range<usize>)) -> Result<()>,
) -> Result<()> {
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("read the module")?;
        if let Some((id, range)) = payload.as_section() {
            each(&payload, (id, usize::try_from(range.start)?..usize::try_from(range.end)?))?;
        }
    }
    Ok(())
}

fn copy(made: &mut Module, module: &[u8], (id, range): (u8, Range<usize>)) {
    made.section(&RawSection { id, data: &module[range] });
}

/// The store's data is the stand-in, once it is there: each of the two needs the other.
type Beside = Option<Instance>;

/// The module, whose calls of WASI go to the stand-in.
fn instantiate_module(store: &mut Store<Beside>, module: &[u8]) -> Result<Instance> {
    let module = wasmi::Module::new(store.engine(), module)?;
    let mut given = Vec::new();
    for import in module.imports() {
        let Some(ty) = import.ty().func() else { bail!("the module imports {}", import.name()) };
        let called = import.name().to_owned();
        let call = move |mut caller: Caller<'_, Beside>, given: &[Val], answer: &mut [Val]| {
            let func = (*caller.data()).and_then(|beside| beside.get_func(&caller, &called));
            let func = func.ok_or_else(|| wasmi::Error::new(format!("there is no {called} yet")))?;
            func.call(&mut caller, given, answer)
        };
        given.push(Extern::Func(Func::new(&mut *store, ty.clone(), call)));
    }
    Ok(Instance::new(store, &module, &given)?)
}

/// The stand-in, over the module's memory. What it would write is for no log: the start ends.
fn instantiate_stand_in(store: &mut Store<Beside>, stand_in: &[u8], memory: Memory) -> Result<Instance> {
    let module = wasmi::Module::new(store.engine(), stand_in)?;
    let refuse =
        |_: Caller<'_, Beside>, _: &[Val], _: &mut [Val]| Err(wasmi::Error::new("there is no log yet"));
    let given: Vec<_> = module
        .imports()
        .map(|import| match import.ty().func() {
            Some(ty) => Extern::Func(Func::new(&mut *store, ty.clone(), refuse)),
            None => Extern::Memory(memory),
        })
        .collect();
    Instance::new(store, &module, &given).context("instantiate the stand-in for WASI")
}

/// What a global starts with. `None` when it is a reference.
fn constant(value: &Val) -> Option<ConstExpr> {
    match value {
        Val::I32(value) => Some(ConstExpr::i32_const(*value)),
        Val::I64(value) => Some(ConstExpr::i64_const(*value)),
        Val::F32(value) => Some(ConstExpr::f32_const(wasm_encoder::Ieee32::new(value.to_bits()))),
        Val::F64(value) => Some(ConstExpr::f64_const(wasm_encoder::Ieee64::new(value.to_bits()))),
        _ => None,
    }
}

/// The module that begins with this memory and these globals, and has no start.
fn settled(module: &[u8], memory: Option<&[u8]>, globals: &[(u32, ConstExpr)]) -> Result<Vec<u8>> {
    let mut made = Module::new();
    sections(module, |payload, section| {
        match payload {
            Payload::GlobalSection(before) => {
                made.section(&settled_globals(module, before.clone(), globals)?);
            }
            Payload::ExportSection(exports) => {
                made.section(&kept_exports(exports.clone(), |name| name != START)?);
            }
            Payload::MemorySection(memories) if let Some(memory) = memory => {
                made.section(&settled_memory(memories.clone(), memory)?);
            }
            Payload::DataSection(_) if let Some(memory) = memory => {
                made.section(&data(memory)?);
            }
            _ => copy(&mut made, module, section),
        }
        Ok(())
    })?;
    Ok(made.finish())
}

fn settled_globals(
    module: &[u8],
    before: wasmparser::GlobalSectionReader<'_>,
    values: &[(u32, ConstExpr)],
) -> Result<RawGlobals> {
    let mut section = RawGlobals { count: before.count(), bytes: Vec::new() };
    for (number, global) in before.into_iter_with_offsets().enumerate() {
        let (_, global) = global?;
        let number = u32::try_from(number)?;
        let ty: wasm_encoder::GlobalType = global.ty.try_into()?;
        ty.encode(&mut section.bytes);
        match values.iter().find(|(of, _)| *of == number) {
            Some((_, value)) => value.encode(&mut section.bytes),
            None => {
                let range = global.init_expr.get_binary_reader().range();
                section.bytes.extend(&module[usize::try_from(range.start)?..usize::try_from(range.end)?]);
            }
        }
    }
    Ok(section)
}

/// A section of globals of which some are copied.
struct RawGlobals {
    count: u32,
    bytes: Vec<u8>,
}

impl wasm_encoder::Encode for RawGlobals {
    fn encode(&self, sink: &mut Vec<u8>) {
        let mut content = Vec::new();
        self.count.encode(&mut content);
        content.extend(&self.bytes);
        content.encode(sink);
    }
}

impl wasm_encoder::Section for RawGlobals {
    fn id(&self) -> u8 {
        SectionId::Global.into()
    }
}

/// The memory, as large as it has become.
fn settled_memory(
    memories: wasmparser::MemorySectionReader<'_>,
    memory: &[u8],
) -> Result<wasm_encoder::MemorySection> {
    let mut section = wasm_encoder::MemorySection::new();
    for ty in memories {
        let mut ty: wasm_encoder::MemoryType = ty?.into();
        ty.minimum = u64::try_from(memory.len() / (64 << 10))?;
        section.memory(ty);
    }
    Ok(section)
}

/// What is in memory and is not zero.
fn data(memory: &[u8]) -> Result<wasm_encoder::DataSection> {
    let mut section = wasm_encoder::DataSection::new();
    let mut rest = 0;
    while let Some(from) = memory[rest..].iter().position(|byte| *byte != 0).map(|at| rest + at) {
        let mut to = from;
        while let Some(gap) = memory[to..].iter().position(|byte| *byte != 0).filter(|gap| *gap < GAP_BYTES) {
            to += gap + 1;
        }
        section.active(0, &ConstExpr::i32_const(i32::try_from(from)?), memory[from..to].iter().copied());
        rest = to;
    }
    Ok(section)
}

#[cfg(test)]
mod tests;
