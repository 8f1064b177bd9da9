//! Receipts and source names: one spelling each, nothing else gets in.

use tidegate_envelope::{Digest, Receipt, SourceName};

#[test]
fn a_receipt_has_one_spelling_and_sorts_by_time() {
    let receipt = Receipt::new(1_795_000_000_123, 0x1234_5678_9abc_def0_1234);
    let text = receipt.to_string();
    assert_eq!(text.parse(), Ok(receipt));
    assert_eq!(Receipt::from_bytes(receipt.to_bytes()), receipt);
    assert_eq!(receipt.timestamp_ms(), 1_795_000_000_123);
    let later = Receipt::new(1_795_000_000_124, 0);
    assert!(later > receipt && later.to_string() > text && later.to_bytes() > receipt.to_bytes());
    for other in [
        text.to_lowercase(),
        text.replacen('0', "O", 1),
        text[1..].to_owned(),
        format!("{text}0"),
        format!("8{}", &text[1..]),
        String::new(),
        "\u{fc}".repeat(13),
    ] {
        assert!(other.parse::<Receipt>().is_err(), "{other}");
    }
}

#[test]
fn the_bits_beyond_eighty_do_not_reach_the_time() {
    assert_eq!(Receipt::new(5, u128::MAX).timestamp_ms(), 5);
    assert_eq!(Receipt::new(5, u128::MAX), Receipt::new(5, (1 << 80) - 1));
}

#[test]
fn a_source_name_is_a_host_name_s_label() {
    let longest = "a".repeat(63);
    for name in ["a", "amj", "a-b", "0", "a--b", longest.as_str()] {
        assert_eq!(SourceName::new(name).map(|n| n.to_string()), Ok(name.to_owned()));
    }
    let too_long = "a".repeat(64);
    for name in ["", "-a", "a-", "-", "A", "a_b", "a.b", "a/b", "a b", "\u{e4}", "a\u{0}", too_long.as_str()]
    {
        assert!(SourceName::new(name).is_err(), "{name}");
    }
}

#[test]
fn a_hash_prints_as_the_known_one() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Digest::of(b"").to_string(), empty);
}
