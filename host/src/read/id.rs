//! The one text that an id has, however the sender writes it. Pure.

use super::text;
use compact_str::{CompactString, format_compact};

/// Digits of an id that is written out from a number with an exponent.
const ID_DIGITS_MAX: usize = 40;

/// An id as text: one thing has one, however the sender writes it. A number is what it is worth, so `675.0` and
/// `6.75e2` are 675, and any whole number keeps all its digits. A text is taken as it is, spaces and all: whoever
/// writes ids as texts means them so.
pub(super) fn read(json: Option<&str>) -> Option<CompactString> {
    let id = text(json)?;
    let is_text = json?.starts_with('"');
    Some(if is_text { id } else { whole(&id).unwrap_or(id) })
}

/// A JSON number in plain digits, when it is whole and not absurdly long: no one writes `1e999999999` out.
fn whole(number: &str) -> Option<CompactString> {
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(number.into());
    }
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |number| ("-", number));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some("0".into());
    }
    let zeros = exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let shift = usize::try_from(zeros.unsigned_abs()).ok()?;
    if zeros >= 0 {
        let is_short = digits.len().saturating_add(shift) <= ID_DIGITS_MAX;
        return (shift == 0 || is_short).then(|| format_compact!("{sign}{digits}{}", "0".repeat(shift)));
    }
    let (kept, dropped) = digits.split_at_checked(digits.len().checked_sub(shift)?)?;
    dropped.bytes().all(|digit| digit == b'0').then(|| format_compact!("{sign}{kept}"))
}
