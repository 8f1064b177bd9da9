//! What a target says of when to come back: any headers are read, and no wait is shorter than was asked for.

use derive_arbitrary::Arbitrary;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use tidegate::retry::after::retry_after_ms;
use tidegate::retry::{Next, RetryPolicy, next};

#[derive(Arbitrary, Debug)]
struct Answer<'a> {
    attempt: u32,
    attempts_max: u32,
    first_ms: u64,
    factor: u32,
    cap_ms: u64,
    jitter: f64,
    date: Option<&'a [u8]>,
    retry_after: &'a [u8],
}

/// Takes two headers of an answer, and a policy.
///
/// # Panics
/// When the wait is shorter than what was asked for.
pub fn check(bytes: &[u8]) {
    let Some(answer) = crate::made_of::<Answer<'_>>(bytes) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in [(DATE, answer.date), (RETRY_AFTER, Some(answer.retry_after))] {
        if let Some(Ok(value)) = value.map(HeaderValue::from_bytes) {
            headers.insert(name, value);
        }
    }
    let asked_ms = retry_after_ms(&headers);
    let (attempts_max, first_ms) = (answer.attempts_max, answer.first_ms);
    let policy = RetryPolicy { attempts_max, first_ms, factor: answer.factor, cap_ms: answer.cap_ms };
    match next(&policy, answer.attempt, asked_ms, answer.jitter) {
        Next::After(ms) => {
            assert!(answer.attempt < attempts_max, "attempts end");
            assert!(ms >= asked_ms.unwrap_or_default(), "{ms} ms, asked for {asked_ms:?}");
            assert!(
                ms <= asked_ms.unwrap_or_default().saturating_add(answer.cap_ms),
                "{ms} ms is over the cap"
            );
        }
        Next::GiveUp => assert!(answer.attempt >= attempts_max, "it gave up early"),
    }
}
