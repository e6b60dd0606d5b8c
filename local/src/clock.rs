//! Times as the platform writes and reads them: ISO 8601 with milliseconds and `Z` out,
//! and in whatever `Joi.date()` takes (ISO strings, milliseconds as number or text).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

/// The largest distance from 1970 that a JavaScript `Date` can hold.
const MAX_MS: f64 = 8.64e15;

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
}

/// `2026-01-31T12:00:00.000Z`
pub fn iso(ms: i64) -> String {
    let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (h, m, s) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    let milli = rest % 1000;
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{milli:03}Z")
}

/// The date a JSON value stands for, as `new Date(…)` behind `Joi.date()` reads it.
pub fn parse_date(value: &Value) -> Option<i64> {
    let ms = match value {
        Value::Number(n) => n.as_f64()?,
        Value::String(s) if is_decimal(s) => s.parse().ok()?,
        Value::String(s) => return parse_iso(s),
        _ => return None,
    };
    (ms.abs() <= MAX_MS).then_some(ms as i64)
}

fn is_decimal(s: &str) -> bool {
    let digits = s.strip_prefix(['+', '-']).unwrap_or(s);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

/// `2026-01-31`, `2026-01-31T12:00`, `…:00`, `.123456`, then `Z` or `+01:00` or nothing.
/// (A time without zone is local time in JavaScript; servers run in UTC, so UTC here.)
fn parse_iso(s: &str) -> Option<i64> {
    let (date, time) = match s.find(['T', 't', ' ']) {
        Some(at) => (&s[..at], Some(&s[at + 1..])),
        None => (s, None),
    };
    let mut parts = date.splitn(3, '-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |p| number(p, 2))?;
    let day = parts.next().map_or(Some(1), |p| number(p, 2))?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut ms = days_from_civil(year, month, day) * 86_400_000;
    if let Some(time) = time {
        let (clock, offset_ms) = split_zone(time)?;
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = clock.splitn(3, ':');
        let hour = number(parts.next()?, 2)?;
        let minute = number(parts.next()?, 2)?;
        let second = parts.next().map_or(Some(0), |p| number(p, 2))?;
        if hour > 24 || minute > 59 || second > 59 || fraction.is_empty() {
            return None;
        }
        if !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let milli: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        ms += ((hour * 60 + minute) * 60 + second) * 1000 + milli - offset_ms;
    }
    Some(ms)
}

fn split_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else {
        return Some((time, 0));
    };
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    let zone = &time[at + 1..];
    let (h, m) = match zone.split_once(':') {
        Some((h, m)) => (number(h, 2)?, number(m, 2)?),
        None if zone.len() == 4 => (number(zone.get(..2)?, 2)?, number(zone.get(2..)?, 2)?),
        None => return None,
    };
    Some((&time[..at], sign * (h * 60 + m) * 60_000))
}

fn number(s: &str, digits: usize) -> Option<i64> {
    (s.len() == digits && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok()).flatten()
}

// Proleptic Gregorian calendar, after Howard Hinnant's `chrono`-compatible algorithms.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dates_go_out_and_come_back() {
        for ms in [0, 951_782_400_000, 1_700_000_000_123, 4_102_444_799_999, -1] {
            assert_eq!(parse_date(&json!(iso(ms))), Some(ms), "{}", iso(ms));
        }
        assert_eq!(iso(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn what_joi_takes_for_a_date() {
        assert_eq!(parse_date(&json!("1970-01-02")), Some(86_400_000));
        assert_eq!(parse_date(&json!("1970-01-01T01:00:00+01:00")), Some(0));
        assert_eq!(parse_date(&json!("1700000000000")), Some(1_700_000_000_000));
        for bad in [json!("x"), json!(""), json!(" "), json!(null), json!(true), json!(1e18)] {
            assert_eq!(parse_date(&bad), None, "{bad}");
        }
        for bad in ["2026-1-1", "2026-13-01", "2026-01-01T", "2026-01-01T10", "日本-01-01"] {
            assert_eq!(parse_date(&json!(bad)), None, "{bad}");
        }
    }
}
