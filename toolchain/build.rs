//! Lists what other crates bring among their sources, for a program that was built with them to have it all: the Go
//! library that the bindings of wit-bindgen-go call, and the C sources of Lua.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The packages of Go's library that are called, from its folder.
const GO_PACKAGES: [&str; 4] = ["", "wit/async", "wit/runtime", "wit/types"];

/// The Lua that is compiled into plugins: the one that mlua, which compiles their sources, has as `lua54`.
const LUA: &str = "lua-5.4.9";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let packages = packages();
    let go = folder(&packages, "wit-bindgen-go").join("src/pkg");
    list("go_library.rs", &go, &GO_PACKAGES, &["go", "s", "mod"])?;
    list("lua_sources.rs", &folder(&packages, "lua-src").join(LUA), &[""], &["c", "h"])
}

/// Writes the list of the files in these folders of a library that end like this: path and content.
fn list(name: &str, library: &Path, folders: &[&str], extensions: &[&str]) -> io::Result<()> {
    let mut list = String::from("&[\n");
    for folder in folders {
        let mut files = fs::read_dir(library.join(folder))?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        files.retain(|file| extensions.iter().any(|known| file.extension() == Some(OsStr::new(known))));
        files.sort();
        for file in files {
            let name = file.strip_prefix(library).expect("it was found there");
            writeln!(list, "({name:?}, include_bytes!({file:?})),").expect("text grows");
        }
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join(name), list)
}

/// What cargo knows of the crates that this one is built with. Those of other platforms are left out: cargo has not
/// fetched them, and would do so now.
fn packages() -> Vec<serde_json::Value> {
    let variable = |name| env::var_os(name).expect("cargo sets it");
    let mut command = Command::new(variable("CARGO"));
    command.args(["metadata", "--format-version=1", "--locked", "--filter-platform"]).arg(variable("TARGET"));
    let output = command.output().expect("cargo metadata starts");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("cargo metadata lists packages").clone()
}

/// The folder of a crate.
fn folder(packages: &[serde_json::Value], name: &str) -> PathBuf {
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.unwrap_or_else(|| panic!("{name} is not among the packages")));
    manifest.parent().expect("a manifest is in a folder").to_owned()
}
