//! How long an HTTP server asks to be left alone. Pure: knows nothing of who asks or what is done about it.

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// Milliseconds from a `Retry-After` in either form of RFC 9110, section 10.2.3; `None` when there is none that
/// can be read. A date is read against the server's own clock, the response's `Date`: a server that writes dates
/// has one (section 6.6.1), and it need not agree with ours.
#[must_use]
pub fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than the type holds is as good as for ever; callers have a cap.
        return Some(text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let wait = until.duration_since(now).unwrap_or_default();
    u64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn read(headers: &[(HeaderName, &'static str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        retry_after_ms(&headers.collect())
    }

    #[test]
    fn every_form_is_read() {
        for (text, expected_ms) in [
            ("0", Some(0)),
            ("7", Some(7_000)),
            (" 7 ", Some(7_000)),
            ("99999999999999999999999", Some(u64::MAX)),
            // The three forms of a date, from RFC 9110's examples.
            ("Sun, 06 Nov 1994 08:49:50 GMT", Some(13_000)),
            ("Sunday, 06-Nov-94 08:49:50 GMT", Some(13_000)),
            ("Sun Nov  6 08:49:50 1994", Some(13_000)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(86_400_000)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let date = (DATE, "Sun, 06 Nov 1994 08:49:37 GMT");
            assert_eq!(read(&[(RETRY_AFTER, text), date]), expected_ms, "{text}");
        }
    }

    #[test]
    fn a_date_says_nothing_without_the_servers_own_time() {
        assert_eq!(read(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:50 GMT")]), None);
        assert_eq!(read(&[(RETRY_AFTER, "Sun, 06 Nov 1994 08:49:50 GMT"), (DATE, "noon")]), None);
        assert_eq!(read(&[(DATE, "Sun, 06 Nov 1994 08:49:37 GMT")]), None);
    }
}
