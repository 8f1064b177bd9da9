//! C, C++ and Zig, through the generator wit-bindgen-c and the compilers that come with Zig. Each SDK stands on the
//! bindings for C.

use super::{Job, Types};
use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every C program gets: WASI's libc, the names of its functions for a fault to show, and a stack of 64 KiB in
/// memory instead of 16 MiB.
const FLAGS: [&str; 6] =
    ["--target=wasm32-wasi", "-mexec-model=reactor", "-Oz", "-g", "-Wall", "-Wl,-z,stack-size=65536"];

/// Makes the component of a `.c` file.
pub(super) fn make_of_c(job: &Job<'_>) -> Result<()> {
    let bindings = write_bindings(job)?;
    let module = job.place.work.join("module.wasm");
    let mut command = zig(job)?;
    command.arg("cc").args(FLAGS).arg("-std=c23").arg("-I").arg(&bindings).arg("-I").arg(&job.place.sdk);
    command.arg(job.source).arg(job.place.sdk.join("tidegate.c")).args(compiled_with(&bindings));
    shell::run_quietly(command.arg("-o").arg(&module), "compile")?;
    job.write_component(&module, Types::InModule)
}

/// Makes the component of a `.cpp` file. The bindings are C's: those of wit-bindgen-cpp 0.63 corrupt a list of
/// variants.
pub(super) fn make_of_cpp(job: &Job<'_>) -> Result<()> {
    let bindings = write_bindings(job)?;
    let [generated, types] = compiled_with(&bindings);
    let object = job.place.work.join("bindings.o");
    let mut command = zig(job)?;
    command.arg("cc").args(["--target=wasm32-wasi", "-Oz", "-c"]).arg(generated).arg("-o").arg(&object);
    shell::run_quietly(&mut command, "compile the bindings")?;
    let module = job.place.work.join("module.wasm");
    let mut command = zig(job)?;
    command.arg("c++").args(FLAGS).args(["-std=c++23", "-fno-exceptions", "-fno-rtti"]);
    command.arg("-I").arg(&bindings).arg("-I").arg(&job.place.sdk);
    command.arg(job.source).arg(job.place.sdk.join("tidegate.cpp")).arg(object).arg(types);
    command.arg("-o").arg(&module);
    shell::run_quietly(&mut command, "compile")?;
    job.write_component(&module, Types::InModule)
}

/// Makes the component of a `.zig` file. The program is the SDK's: the plugin is its module `plugin`, the bindings its
/// module `contract`, and both they and the plugin have the SDK's module `tidegate`.
pub(super) fn make_of_zig(job: &Job<'_>) -> Result<()> {
    let bindings = write_bindings(job)?;
    let mut command = zig(job)?;
    command.args(["translate-c", "-lc", "-target", "wasm32-wasi"]).arg(bindings.join("plugin.h"));
    let translated = command.output().context("start zig translate-c")?;
    anyhow::ensure!(
        translated.status.success(),
        "translate the bindings:\n{}",
        String::from_utf8_lossy(&translated.stderr)
    );
    let contract = job.place.work.join("contract.zig");
    fs::write(&contract, translated.stdout).with_context(|| format!("write {}", contract.display()))?;

    let module = job.place.work.join("module.wasm");
    let mut command = zig(job)?;
    command.args(["build-exe", "-target", "wasm32-wasi", "-mexec-model=reactor", "-OReleaseSmall", "-lc"]);
    command.args(["--stack", "65536", "-fno-strip"]);
    // The C files stand before the module that they belong to, and a module's dependencies before it.
    command
        .args(["--dep", "plugin", "--dep", "tidegate", "--dep", "contract"])
        .args(compiled_with(&bindings));
    command.arg(argument("-Mroot=", &job.place.sdk.join("program.zig")));
    command.args(["--dep", "tidegate"]).arg(argument("-Mplugin=", job.source));
    command.args(["--dep", "contract"]).arg(argument("-Mtidegate=", &job.place.sdk.join("tidegate.zig")));
    command.arg(argument("-Mcontract=", &contract));
    command.arg(argument("-femit-bin=", &module)).arg("-I").arg(&bindings);
    shell::run_quietly(&mut command, "compile")?;
    job.write_component(&module, Types::InModule)
}

pub(super) fn zig(job: &Job<'_>) -> Result<Command> {
    let mut command = Command::new(job.tools.ensure("zig")?);
    // The libraries it compiles, which take a minute the first time.
    command.env("ZIG_GLOBAL_CACHE_DIR", job.tools.cache("zig")?);
    command.env("ZIG_LOCAL_CACHE_DIR", job.place.work.join("zig-cache"));
    Ok(command)
}

/// Writes `plugin.h`, `plugin.c` and the types that are linked in; says where.
pub(super) fn write_bindings(job: &Job<'_>) -> Result<PathBuf> {
    let dir = job.place.work.join("bindings");
    job.write_bindings(wit_bindgen_c::Opts::default().build(), &dir)?;
    Ok(dir)
}

/// The files of the bindings that are compiled with the plugin.
pub(super) fn compiled_with(bindings: &Path) -> [PathBuf; 2] {
    [bindings.join("plugin.c"), bindings.join("plugin_component_type.o")]
}

fn argument(flag: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(flag);
    argument.push(path);
    argument
}
