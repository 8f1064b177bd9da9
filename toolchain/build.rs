//! Lists the Go library that the bindings of wit-bindgen-go call: their crate brings it among its sources, and a
//! program that was built without them could not make a component of Go.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The packages that are called, from the library's folder.
const PACKAGES: [&str; 4] = ["", "wit/async", "wit/runtime", "wit/types"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let library = generator().join("src/pkg");
    let mut list = String::from("&[\n");
    for package in PACKAGES {
        let mut files = fs::read_dir(library.join(package))?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        files.sort();
        for file in files.iter().filter(|file| is_source(file)) {
            let name = file.strip_prefix(&library).expect("it was found there");
            writeln!(list, "({name:?}, include_bytes!({file:?})),").expect("text grows");
        }
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("go_library.rs"), list)
}

fn is_source(file: &Path) -> bool {
    ["go", "s", "mod"].iter().any(|known| file.extension() == Some(OsStr::new(known)))
}

/// The folder of the crate wit-bindgen-go.
fn generator() -> PathBuf {
    let cargo = env::var_os("CARGO").expect("cargo sets it");
    let output = Command::new(cargo).args(["metadata", "--format-version=1", "--offline"]).output();
    let output = output.expect("cargo metadata starts").stdout;
    let metadata: serde_json::Value = serde_json::from_slice(&output).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let package = packages.iter().find(|package| package["name"] == "wit-bindgen-go");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("wit-bindgen-go is among the packages"));
    manifest.parent().expect("a manifest is in a folder").to_owned()
}
