use super::*;
use minisign::KeyPair;
use std::io::Cursor;

const COMPONENT: &[u8] = b"a component";
const MANIFEST: &str = "name = \"loan-notice\"\nkinds = [\"asset.update\"]\n";

/// A key as an author has it.
fn key() -> (KeyPair, TrustedKey) {
    let pair = KeyPair::generate_unencrypted_keypair().expect("a key");
    let trusted = TrustedKey::parse(&pair.pk.to_base64()).expect("what minisign prints is a key");
    (pair, trusted)
}

fn signature(pair: &KeyPair, component: &[u8], comment: &str) -> Option<String> {
    let signed = minisign::sign(None, &pair.sk, Cursor::new(component), Some(comment), None);
    Some(signed.expect("it signs").into_string())
}

/// What minisign's `-t` is given in the line that is printed.
fn comment(manifest: &str) -> String {
    line(manifest).split('\'').nth(1).expect("a comment between quotes").to_owned()
}

fn evidence(signature: Option<String>) -> Evidence {
    Evidence { manifest: MANIFEST.to_owned(), signature, adds_hosts: false }
}

#[test]
fn a_key_is_known_by_the_number_that_minisign_prints() {
    let (pair, trusted) = key();
    let comment = pair.pk.to_box().expect("a file").to_string();
    assert!(comment.contains(trusted.id()), "{comment} should have {}", trusted.id());
}

#[test]
fn what_is_no_key_is_none() {
    let (pair, _) = key();
    let text = pair.pk.to_base64();
    for wrong in
        ["", "RW", "untrusted comment: minisign public key", &text[..text.len() - 4], &format!("{text}AAAA")]
    {
        assert_eq!(TrustedKey::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_signature_of_both_files_by_a_trusted_key_counts() {
    let ((pair, trusted), (_, other)) = (key(), key());
    let id = trusted.id().to_owned();
    let trust = Trust { keys: vec![other, trusted], is_required: true, digests: Vec::new() };
    let signed = signature(&pair, COMPONENT, &format!("timestamp:1 {}", comment(MANIFEST)));
    assert_eq!(check(&trust, COMPONENT, &evidence(signed)), Ok(Some(id)));
}

#[test]
fn where_none_is_needed_none_will_do_and_a_wrong_one_will_not() {
    let ((pair, trusted), (stranger, _)) = (key(), key());
    let by = trusted.id().to_owned();
    let trust = Trust { keys: vec![trusted], ..Trust::default() };
    let good = comment(MANIFEST);
    assert_eq!(check(&Trust::default(), COMPONENT, &evidence(None)), Ok(None));
    assert_eq!(check(&Trust::default(), COMPONENT, &evidence(signature(&pair, b"x", &good))), Ok(None));
    assert_eq!(check(&trust, COMPONENT, &evidence(None)), Ok(None));
    assert_eq!(check(&trust, COMPONENT, &evidence(signature(&stranger, COMPONENT, &good))), Ok(None));
    assert_eq!(
        check(&trust, COMPONENT, &evidence(signature(&pair, b"another component", &good))),
        Err(Untrusted::Tampered { by })
    );
}

#[test]
fn where_one_is_needed_each_refusal_says_what_is_wrong() {
    let ((pair, trusted), (stranger, _)) = (key(), key());
    let by = trusted.id().to_owned();
    let trust = Trust { keys: vec![trusted], is_required: true, digests: Vec::new() };
    let good = comment(MANIFEST);
    let changed =
        signature(&pair, COMPONENT, &good).map(|text| text.replace("plugin.toml=", "plugin.toml ="));
    for (signature, words) in [
        (None, vec!["not signed", "plugins.signatures_required", &by, "minisign -S -m plugin.wasm -t"]),
        (Some("no signature".to_owned()), vec!["not one of minisign's"]),
        (signature(&stranger, COMPONENT, &good), vec!["not one of the trusted ones", &by]),
        (signature(&pair, b"another component", &good), vec!["not the one", &by]),
        // The trusted comment is signed, too.
        (changed, vec!["not the one", &by]),
        (signature(&pair, COMPONENT, "timestamp:1"), vec!["which plugin.toml", &good]),
        (signature(&pair, COMPONENT, &comment("name = \"other\"")), vec!["plugin.toml is not the one", &by]),
    ] {
        let error = check(&trust, COMPONENT, &evidence(signature)).expect_err("it is refused").to_string();
        for word in words {
            assert!(error.contains(word), "`{error}` should say `{word}`");
        }
    }
}

#[test]
fn hosts_are_not_added_to_what_had_to_be_signed() {
    let (pair, trusted) = key();
    let mut trust = Trust { keys: vec![trusted], is_required: true, digests: Vec::new() };
    let signed = signature(&pair, COMPONENT, &comment(MANIFEST));
    let evidence = Evidence { adds_hosts: true, ..evidence(signed) };
    assert_eq!(check(&trust, COMPONENT, &evidence), Err(Untrusted::HostsAdded));
    trust.is_required = false;
    assert!(check(&trust, COMPONENT, &evidence).is_ok());
}

#[test]
fn a_component_that_is_not_pinned_is_refused_however_well_it_is_signed() {
    let (pair, trusted) = key();
    let digests = vec![Digest::of(b"another component")];
    let mut trust = Trust { keys: vec![trusted], is_required: true, digests };
    let signed = evidence(signature(&pair, COMPONENT, &comment(MANIFEST)));
    let error = check(&trust, COMPONENT, &signed).expect_err("it is refused");
    assert_eq!(error, Untrusted::NotPinned(Digest::of(COMPONENT)));
    assert!(error.to_string().contains("plugins.digests"), "{error}");
    trust.digests.push(Digest::of(COMPONENT));
    assert!(check(&trust, COMPONENT, &signed).is_ok());
}
