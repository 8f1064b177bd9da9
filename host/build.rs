//! Lists the files of `plugins/` for `tidegate plugin new`, one template per folder that has a `plugin.toml`, without
//! what builds leave there. A new language is a new folder and nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What builds leave in a plugin's folder; also whatever starts with a dot.
const BUILT_DIRS: [&str; 6] = ["target", "node_modules", "__pycache__", "build", "dist", "zig-out"];
const BUILT_EXTENSIONS: [&str; 3] = ["wasm", "part", "pyc"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let plugins = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../plugins");
    let plugins = plugins.canonicalize()?;
    let mut list = String::from("&[\n");
    for language in sorted(&plugins)? {
        if !language.join("plugin.toml").is_file() {
            continue;
        }
        let mut files = Vec::new();
        walk(&language, &mut files)?;
        // Not the folder itself: its component changes with each build, and would build the host again. So a new file in
        // it, or a new folder, is seen when this script runs next.
        for dir in sorted(&language)?.iter().filter(|path| path.is_dir() && !is_built(path)) {
            println!("cargo::rerun-if-changed={}", dir.display());
        }
        writeln!(list, "({:?}, &[", name(&language)).expect("text grows");
        for file in files {
            println!("cargo::rerun-if-changed={}", file.display());
            let path = file.strip_prefix(&language).expect("it was found there");
            writeln!(list, "({:?}, include_bytes!({:?})),", path, file).expect("text grows");
        }
        list.push_str("]),\n");
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("templates.rs"), list)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in sorted(dir)?.into_iter().filter(|path| !is_built(path)) {
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn is_built(path: &Path) -> bool {
    let name = name(path);
    let extension = path.extension().unwrap_or_default();
    name.starts_with('.')
        || BUILT_DIRS.contains(&&*name)
        || BUILT_EXTENSIONS.iter().any(|built| extension == *built)
}

fn sorted(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
