//! Makes a site of `docs/`: `tidegate-book TIDEGATE DOCS OUT`. Chapters about keys, errors and the API are written by the
//! `tidegate` that is named, and so is what a page says that it prints: they cannot be older than it. A link that leads nowhere is an error.

mod chapter;
mod link;

use anyhow::{Context as _, bail, ensure};
use mdbook_driver::MDBook;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [tidegate, docs, out] = args.as_slice() else {
        eprintln!("usage: tidegate-book TIDEGATE DOCS OUT");
        return ExitCode::from(2);
    };
    match make(tidegate, docs, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn make(tidegate: &Path, docs: &Path, out: &Path) -> anyhow::Result<()> {
    if out.exists() {
        fs::remove_dir_all(out).with_context(|| format!("clear {}", out.display()))?;
    }
    let source = out.join("source");
    fs::create_dir_all(source.join("src"))?;
    copy(tidegate, docs, &source.join("src"))?;
    fs::rename(source.join("src/book.toml"), source.join("book.toml")).context("find docs/book.toml")?;
    for (name, text) in chapter::written(tidegate)? {
        fs::write(source.join("src").join(name), text)?;
    }
    let mut book = MDBook::load(&source).map_err(|error| error.context("read the book"))?;
    let site = std::path::absolute(out.join("site"))?;
    book.config.build.build_dir = site.clone();
    book.build().map_err(|error| error.context("make the site"))?;
    let broken = link::broken(&site)?;
    if !broken.is_empty() {
        bail!("links that lead nowhere:\n{}", broken.join("\n"));
    }
    let index = site.join("index.html");
    ensure!(index.exists(), "the book has no first page");
    println!("{}", index.display());
    Ok(())
}

/// The files of a folder, filled in where they say what is printed; those that only programs read stay where they are.
fn copy(tidegate: &Path, from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_for_people =
            path.extension().is_some_and(|extension| extension == "md" || extension == "toml");
        if path.is_file() && is_for_people {
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            fs::write(to.join(name), chapter::filled(tidegate, &text)?)?;
        }
    }
    Ok(())
}
