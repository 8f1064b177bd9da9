//! Times as people type them.

use crate::assembly::now_ms;

/// How to say when.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Range {
    /// Only from this time on: `90s`, `30m`, `2h`, `3d` ago, `2026-11-28`, or `2026-11-28T09:30:00Z`.
    #[arg(long, value_name = "TIME", value_parser = parse)]
    pub(super) since: Option<u64>,
    /// Only before this time.
    #[arg(long, value_name = "TIME", value_parser = parse)]
    pub(super) until: Option<u64>,
}

/// A time in milliseconds since the Unix epoch.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    at(text, now_ms()).ok_or_else(|| {
        "it is no time: type 90s, 30m, 2h or 3d for so long ago, 2026-11-28, or 2026-11-28T09:30:00Z"
            .to_owned()
    })
}

/// A length of time in milliseconds.
pub(super) fn span(text: &str) -> Result<u64, String> {
    ago_ms(text).ok_or_else(|| "it is no length of time: type 90s, 30m, 2h or 3d".to_owned())
}

fn at(text: &str, now_ms: u64) -> Option<u64> {
    if let Some(ago_ms) = ago_ms(text) {
        return Some(now_ms.saturating_sub(ago_ms));
    }
    let stamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date: jiff::civil::Date = text.parse().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    })?;
    u64::try_from(stamp.as_millisecond()).ok()
}

fn ago_ms(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_so_long_ago_or_a_date_or_an_instant() {
        let now_ms = 1_795_868_000_000;
        for (text, at_ms) in [
            ("90s", now_ms - 90_000),
            ("2h", now_ms - 7_200_000),
            ("3d", now_ms - 3 * 86_400_000),
            ("2026-11-28", 1_795_824_000_000),
            ("2026-11-28T00:00:01Z", 1_795_824_001_000),
        ] {
            assert_eq!(super::at(text, now_ms), Some(at_ms), "{text}");
        }
        for text in ["", "h", "2w", "-1h", "yesterday", "2026-13-01"] {
            assert_eq!(super::at(text, now_ms), None, "{text}");
        }
    }
}
