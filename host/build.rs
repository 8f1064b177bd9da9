//! Lists the files of `plugins/` for `tidegate plugin new`, one template per folder that has a `plugin.toml`, and those
//! of `sdk/`, one SDK per folder, without what builds leave there; and the files of the page. A new language is a new folder and
//! nothing else, and so is a new file of the page.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What builds leave in a folder; also whatever starts with a dot.
const BUILT_DIRS: [&str; 6] = ["target", "node_modules", "__pycache__", "build", "dist", "zig-out"];
const BUILT_EXTENSIONS: [&str; 3] = ["wasm", "part", "pyc"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    list("plugins", "templates.rs", |folder| folder.join("plugin.toml").is_file())?;
    list("sdk", "sdks.rs", Path::is_dir)?;
    page()
}

/// Writes the list of the page's files.
fn page() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("page");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    let list = format!("&[\n{}]\n", lines(&root, files));
    fs::write(Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("page.rs"), list)
}

/// A line for each of these files: its path from there, and its bytes.
fn lines(root: &Path, files: Vec<PathBuf>) -> String {
    let mut lines = String::new();
    for file in files {
        let path = file.strip_prefix(root).expect("it was found there");
        writeln!(lines, "({path:?}, include_bytes!({file:?})),").expect("text grows");
    }
    lines
}

/// Writes the list of the folders that these are, each with its files.
fn list(of: &str, name: &str, is_one: impl Fn(&Path) -> bool) -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    let all = root.canonicalize()?.join(of);
    // Cargo looks at all that is in it. So a new file is seen; and so is a new component, which costs a build of the
    // host, but it was made of changed sources or by a changed toolchain, and either of these costs one anyway.
    println!("cargo::rerun-if-changed={}", all.display());
    let mut list = String::from("&[\n");
    for folder in sorted(&all)?.into_iter().filter(|folder| is_one(folder)) {
        let mut files = Vec::new();
        walk(&folder, &mut files)?;
        writeln!(list, "({:?}, &[", self::name(&folder)).expect("text grows");
        list.push_str(&lines(&folder, files));
        list.push_str("]),\n");
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join(name), list)
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

/// What is in a folder; nothing when it is not there.
fn sorted(dir: &Path) -> io::Result<Vec<PathBuf>> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let paths = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
