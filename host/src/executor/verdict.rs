//! What a target's answer means for the effect. Pure: knows nothing of connections.

use super::Again;
use crate::retry::after::retry_after_ms;
use http::{HeaderMap, StatusCode};

/// `None` when the target took the effect; otherwise what it said, and whether to try again.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    retry_after_ms_max: u64,
) -> Option<(String, Again)> {
    if status.is_success() {
        return None;
    }
    let what = match (status.as_u16(), status.canonical_reason()) {
        (300..=399, _) => format!("answered {status}: redirects are not followed"),
        (number, None) => format!("answered {number}"),
        (number, Some(reason)) => format!("answered {number} {reason}"),
    };
    let again = if is_passing(status) {
        let asked_ms = retry_after_ms(headers);
        Again::After(asked_ms.map(|asked_ms| asked_ms.min(retry_after_ms_max)))
    } else {
        Again::Never
    };
    Some((what, again))
}

/// Whether the same request may be answered otherwise later: the target was slow (408), asked to be spared
/// (425, 429), or failed itself (5xx). Any other status is about the request.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::RETRY_AFTER;

    const CAP_MS: u64 = 60_000;

    fn again(status: u16, headers: &[(http::HeaderName, &'static str)]) -> Option<Again> {
        let status = StatusCode::from_u16(status).expect("a status");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_static(value));
        }
        judge(status, &map, CAP_MS).map(|(_, again)| again)
    }

    #[test]
    fn every_status_has_its_verdict() {
        for status in 200..=299 {
            assert_eq!(again(status, &[]), None, "{status}");
        }
        for status in (500..=599).chain([408, 425, 429]) {
            assert_eq!(again(status, &[]), Some(Again::After(None)), "{status}");
        }
        let final_ones = (100..=499).filter(|status| !matches!(status, 200..=299 | 408 | 425 | 429));
        for status in final_ones.chain(600..=999) {
            assert_eq!(again(status, &[]), Some(Again::Never), "{status}");
        }
    }

    #[test]
    fn a_wait_the_target_asks_for_is_capped_and_only_heard_where_a_retry_makes_sense() {
        let asked = |text| [(RETRY_AFTER, text)];
        assert_eq!(again(503, &asked("7")), Some(Again::After(Some(7_000))));
        assert_eq!(again(429, &asked("60")), Some(Again::After(Some(CAP_MS))));
        assert_eq!(again(429, &asked("61")), Some(Again::After(Some(CAP_MS))));
        assert_eq!(again(429, &asked("soon")), Some(Again::After(None)));
        assert_eq!(again(400, &asked("7")), Some(Again::Never));
    }
}
