//! How hard a secret is to guess.

use tidegate_source::strength::{BITS_MIN, bits, bits_of_bytes};

#[test]
fn bits_are_counted_by_the_smallest_usual_alphabet() {
    for (text, expected) in [
        ("", 0),
        ("0123456789", 33),
        ("0123456789abcdef", 64),
        ("0123456789ABCDEF", 64),
        ("0123456789abcdefghij", 103),
        ("8f742231b10e8888abcd99eee1f185a5", 128),
        ("550e8400-e29b-41d4-a716-446655440000", 188),
        ("correct-horse-battery", 110),
        ("correct-horse-battery-staple", 146),
        ("previous-horse-battery-staple", 152),
        ("s3cretS3CRETs3cret", 107),
        ("Zm9vYmFyYmF6cXV4MTIzNA", 130),
        ("dGhpcyBpcyAxNiBieXRl-w", 132),
        ("It's a Secret to Everybody", 170),
        ("пароль пароль", 85),
    ] {
        assert_eq!(bits(text), expected, "{text}");
    }
}

#[test]
fn what_repeats_counts_once() {
    for text in [
        "a".repeat(200),
        "ab".repeat(100),
        "abcdef".repeat(40),
        "abcdefgh".repeat(40),
        "changeme".repeat(32),
        "0123456789".repeat(20),
        "correct-horse-".repeat(9),
        format!("{}b", "a".repeat(200)),
    ] {
        assert!(bits(&text) < BITS_MIN, "{text} has {}", bits(&text));
    }
}

#[test]
fn bytes_count_eight_bits_each() {
    let bytes: Vec<u8> = (0..16).collect();
    assert_eq!(bits_of_bytes(&bytes), 128);
    assert_eq!(bits_of_bytes(&bytes[..15]), 120);
    assert!(bits_of_bytes(&[7; 64]) < BITS_MIN);
    assert!(bits_of_bytes(&bytes[..8].repeat(8)) < BITS_MIN);
}

#[test]
fn what_is_drawn_at_random_as_advised_is_never_refused() {
    let mut random = fastrand::Rng::with_seed(128);
    for (digits, characters) in [(16, 48), (36, 32), (10, 40)] {
        for _ in 0..20_000 {
            let text: String = (0..characters).map(|_| random.digit(digits)).collect();
            assert!(bits(&text) >= BITS_MIN, "{text} has {}", bits(&text));
        }
    }
    for _ in 0..20_000 {
        let mut key = [0; 24];
        random.fill(&mut key);
        assert_eq!(bits_of_bytes(&key), 192, "{key:?}");
    }
}
