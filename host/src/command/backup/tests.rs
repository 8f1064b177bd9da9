use super::*;

/// A store of the fourth schema, with an event in each state.
const STORE: &[u8] = include_bytes!("../../../tests/golden/store-v4.sqlite");

fn host() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("store.sqlite"), STORE).expect("is written");
    dir
}

/// The error of putting this file back into an empty directory.
fn refused(file: &Path) -> String {
    let empty = tempfile::tempdir().expect("a directory");
    let error = put_back(empty.path(), file, false).expect_err("is refused");
    assert!(!empty.path().join("store.sqlite").exists(), "nothing of it is put anywhere");
    format!("{error:#}")
}

#[test]
fn what_is_written_is_put_back_and_what_was_there_is_kept() {
    let (host, other) = (host(), host());
    let file = host.path().join("b.tar");
    let manifest = write(host.path(), &file).expect("is written");
    assert_eq!((manifest.parts.len(), manifest.parts[0].rows["events"]), (1, 4));
    let error = format!("{:#}", write(host.path(), &file).expect_err("it is there already"));
    assert!(error.contains("is there already"), "{error}");

    std::fs::write(other.path().join("store.sqlite"), b"another").expect("is written");
    let error = format!("{:#}", put_back(other.path(), &file, false).expect_err("is refused"));
    assert!(error.contains("--force"), "{error}");
    assert_eq!(std::fs::read(other.path().join("store.sqlite")).expect("is read"), b"another");
    let said = put_back(other.path(), &file, true).expect("is restored");
    let copied = inspect::verify(&other.path().join("store.sqlite")).expect("is undamaged");
    assert_eq!((copied.schema, &copied.rows), (4, &manifest.parts[0].rows));
    let aside =
        said.lines().find_map(|line| line.strip_prefix("what was there is in ")).expect("it says where");
    assert_eq!(std::fs::read(Path::new(aside).join("store.sqlite")).expect("is read"), b"another");
}

#[test]
fn a_file_that_is_not_what_was_written_replaces_nothing() {
    let host = host();
    let file = host.path().join("b.tar");
    let manifest = write(host.path(), &file).expect("is written");
    let whole = std::fs::read(&file).expect("is read");
    let bad = host.path().join("bad.tar");

    // One bit within the store.
    let mut bytes = whole.clone();
    let at = bytes.len() - usize::try_from(manifest.parts[0].bytes).expect("fits") / 2;
    bytes[at] ^= 1;
    std::fs::write(&bad, &bytes).expect("is written");
    assert!(refused(&bad).contains("SHA-256"), "{}", refused(&bad));

    std::fs::write(&bad, &whole[..whole.len() / 2]).expect("is written");
    refused(&bad);
    std::fs::write(&bad, STORE).expect("is written");
    assert!(refused(&bad).contains("no backup"), "{}", refused(&bad));
}

#[test]
fn a_store_of_a_newer_schema_is_not_put_back() {
    let (host, dir) = (host(), tempfile::tempdir().expect("a directory"));
    let file = host.path().join("b.tar");
    let mut manifest = write(host.path(), &file).expect("is written");
    let path = dir.path().join("store.sqlite");
    inspect::copy(&host.path().join("store.sqlite"), &path).expect("is copied");
    // Bytes 60 to 63 of a SQLite file are its user version.
    let mut bytes = std::fs::read(&path).expect("is read");
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&path, bytes).expect("is written");
    manifest.parts = vec![Part::of("store.sqlite", &path).expect("is read")];
    let newer = dir.path().join("newer.tar");
    file::write(&newer, &manifest, dir.path()).expect("is written");
    let error = refused(&newer);
    assert!(error.contains("schema 99") && error.contains("newer"), "{error}");
}

#[test]
fn nothing_is_put_back_while_a_host_is_at_work() {
    let host = host();
    let file = host.path().join("b.tar");
    write(host.path(), &file).expect("is written");
    let lock = std::fs::File::create(host.path().join("store.lock")).expect("is made");
    lock.lock().expect("is locked");
    let error = format!("{:#}", put_back(host.path(), &file, true).expect_err("is refused"));
    assert!(error.contains("at work"), "{error}");
}
