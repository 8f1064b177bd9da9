//! Every file of the corpus through its target, once: what was found stays mended.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tidegate_fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a folder, without their extensions.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn no_file_of_the_corpus_shows_that_something_does_not_hold() {
    for target in TARGETS {
        let files = fs::read_dir(folder("corpus").join(target.name)).expect("a target has a corpus");
        let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        assert!(files.len() >= 5, "{} has {} files", target.name, files.len());
        for file in files {
            println!("{}", file.display());
            (target.check)(&fs::read(file).expect("a file"));
        }
    }
}

#[test]
fn every_target_has_its_binary_and_its_corpus_and_there_are_no_others() {
    let listed: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&folder("fuzz_targets")), listed);
    assert_eq!(names(&folder("corpus")), listed);
}
