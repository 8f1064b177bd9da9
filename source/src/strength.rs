//! How hard a secret is to guess. Knows nothing of what it protects.

/// Bits that a token or a secret has to have: out of reach of guessing, by whoever, for as long as it lives.
pub const BITS_MIN: usize = 128;

/// What to type for a strong one: 192 bits.
pub const REMEDY: &str = "openssl rand -hex 24";

/// Different characters that a secret has at least. One drawn at random has fewer less than once in a million times.
const DISTINCT_MIN: usize = 7;

/// An alphabet that secrets are usually drawn from.
struct Alphabet {
    /// Thousandths of a bit per character: the logarithm of its size to base 2.
    millibits: usize,
    holds: fn(char) -> bool,
}

/// From the smallest to the largest; a secret is taken to be drawn from the first that holds all of it.
const ALPHABETS: [Alphabet; 10] = [
    Alphabet { millibits: 3_321, holds: |c| c.is_ascii_digit() },
    Alphabet { millibits: 4_000, holds: |c| c.is_ascii_hexdigit() },
    Alphabet { millibits: 4_700, holds: |c| c.is_ascii_lowercase() },
    Alphabet { millibits: 4_700, holds: |c| c.is_ascii_uppercase() },
    Alphabet { millibits: 5_169, holds: |c| c.is_ascii_lowercase() || c.is_ascii_digit() },
    Alphabet { millibits: 5_169, holds: |c| c.is_ascii_uppercase() || c.is_ascii_digit() },
    // Words with something between them.
    Alphabet {
        millibits: 5_247,
        holds: |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'),
    },
    Alphabet { millibits: 5_700, holds: |c| c.is_ascii_alphabetic() },
    Alphabet { millibits: 5_954, holds: |c| c.is_ascii_alphanumeric() },
    // Base64, either kind.
    Alphabet {
        millibits: 6_000,
        holds: |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/' | '='),
    },
];

/// Thousandths of a bit per character of any other text: that of the 95 that can be typed.
const MILLIBITS_OTHER: usize = 6_569;

/// Bits of a text, if it was drawn at random from the smallest usual alphabet that holds it: an upper bound, for a
/// text that a person thought of has fewer. What repeats is counted once.
#[must_use]
pub fn bits(text: &str) -> usize {
    let characters: Vec<char> = text.chars().collect();
    let alphabet = ALPHABETS.iter().find(|alphabet| characters.iter().all(|c| (alphabet.holds)(*c)));
    let millibits = alphabet.map_or(MILLIBITS_OTHER, |alphabet| alphabet.millibits);
    counted(&characters).saturating_mul(millibits) / 1_000
}

/// Bits of a key that is given as bytes.
#[must_use]
pub fn bits_of_bytes(bytes: &[u8]) -> usize {
    counted(bytes).saturating_mul(8)
}

/// How many of these count: the piece that all of them repeat; each kind once when there are few kinds.
fn counted<T: Ord + Copy>(items: &[T]) -> usize {
    let mut kinds = items.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < DISTINCT_MIN {
        return kinds.len();
    }
    let repeats =
        |period: &usize| items.iter().zip(items.iter().skip(*period)).all(|(one, next)| one == next);
    let half = items.len() / 2;
    (1..=half).find(repeats).unwrap_or(items.len())
}
