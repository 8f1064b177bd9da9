//! Lua: its interpreter, compiled by Zig for WebAssembly with the exceptions that Lua's errors need, and the plugin's files
//! compiled to its bytecode here, where a mistake is found. Lua's sources come with the crate that has it for this machine.

use super::c::{compiled_with, write_bindings, zig};
use super::{Job, Types, write};
use crate::made;
use crate::shell;
use anyhow::{Context as _, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The sources of Lua: name and content.
const SOURCES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/lua_sources.rs"));

/// Those that are left out: libraries that ask for files and processes, and what opens all libraries.
const LEFT_OUT: [&str; 5] = ["ldblib.c", "linit.c", "liolib.c", "loadlib.c", "loslib.c"];

/// What every file gets. Lua leaves a function by `longjmp` when there is an error; the rest of the flags make that an
/// exception of the kind that the standard kept.
const FLAGS: [&str; 12] = [
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-O2",
    "-g",
    "-std=c23",
    // There are no signals; Lua would share this type with a handler of one.
    "-Dl_signalT=int",
    // Nor is there chance: what Lua would make of the clock is a number.
    "-Dluai_makeseed(L)=0",
    "-Dl_randomizePivot()=~0u",
    "-mexception-handling",
    "-mllvm",
    "-wasm-enable-sjlj",
    // Of the linker: a stack of 64 KiB in memory instead of 16 MiB.
    "-Wl,-z,stack-size=65536",
];
const NEW_EXCEPTIONS: [&str; 2] = ["-mllvm", "-wasm-use-legacy-eh=false"];

/// What is thrown, which the compiler expects a library to define: a tag with the address of what `longjmp` was given.
const TAG: &str = "\t.tagtype __c_longjmp i32\n\t.globl __c_longjmp\n__c_longjmp:\n";

/// Makes the component of a `.lua` file, which may `require` those beside it.
pub(super) fn make(job: &Job<'_>) -> Result<()> {
    let modules = job.place.work.join("modules");
    compile_modules(job, &modules)?;
    let lua = job.place.work.join("lua");
    write(&lua, SOURCES.iter().filter(|(name, _)| !LEFT_OUT.contains(name)).copied())?;
    write(&job.place.work, [("tag.s", TAG.as_bytes())])?;
    let bindings = write_bindings(job)?;

    let module = job.place.work.join("module.wasm");
    let mut command = zig(job)?;
    command.arg("cc").args(FLAGS).args(NEW_EXCEPTIONS);
    for folder in [&bindings, &lua, &modules] {
        command.arg("-I").arg(folder);
    }
    command.arg(job.place.sdk.join("program.c")).args(compiled_with(&bindings));
    command.args(
        SOURCES.iter().map(|(name, _)| name).filter(|name| is_compiled(name)).map(|name| lua.join(name)),
    );
    command.arg(job.place.work.join("tag.s")).arg("-o").arg(&module);
    shell::run_quietly(&mut command, "compile")?;
    job.write_component(&module, Types::InModule)
}

fn is_compiled(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "c") && !LEFT_OUT.contains(&name)
}

/// Writes the bytecode of the plugin's files and the SDK's, and `modules.h`, which has them all as C.
fn compile_modules(job: &Job<'_>, to: &Path) -> Result<()> {
    let mut files = lua_files(&job.place.dir)?;
    files.extend(lua_files(&job.place.sdk)?);
    let mut header = String::new();
    let mut list = String::new();
    for (at, file) in files.iter().enumerate() {
        write(to, [(&*at.to_string(), &*compile(file)?)])?;
        let name = file.file_stem().context("a source file has a name")?.to_string_lossy();
        writeln!(header, "static const unsigned char module_{at}[] = {{\n#embed \"{at}\"\n}};")
            .expect("text grows");
        writeln!(list, "    {{{name:?}, module_{at}, sizeof module_{at}}},").expect("text grows");
    }
    let plugin = job.source.file_stem().context("a source file has a name")?.to_string_lossy();
    writeln!(header, "static const module_t modules[] = {{\n{list}    {{0}},\n}};").expect("text grows");
    writeln!(header, "static const char *const plugin = {plugin:?};").expect("text grows");
    write(to, [("modules.h", header.as_bytes())])
}

fn lua_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = made::files(dir)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "lua"));
    Ok(files)
}

/// A file's bytecode, which has its name and its lines in it. It is the same on every machine.
fn compile(file: &Path) -> Result<Vec<u8>> {
    let text = fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let name = file.file_name().context("a source file has a name")?.to_string_lossy();
    let lua = mlua::Lua::new_with(mlua::StdLib::NONE, mlua::LuaOptions::default());
    let lua = lua.map_err(|error| anyhow::anyhow!("start Lua: {error}"))?;
    match lua.load(text).set_name(format!("@{name}")).set_mode(mlua::chunk::ChunkMode::Text).into_function() {
        Ok(function) => Ok(function.dump(false)),
        Err(mlua::Error::SyntaxError { message, .. }) => bail!("{message}"),
        Err(error) => bail!("{name}: {error}"),
    }
}

#[cfg(test)]
mod tests;
