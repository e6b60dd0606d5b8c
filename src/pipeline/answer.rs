//! What a receiver's answer means: OTLP's rules for HTTP and for gRPC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::otlp::Signal;
use super::wire;

/// However long a receiver asks to be left alone: a mistake on its side must not turn the recording off for ever.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// What to do after one attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver has them, but for so many.
    Delivered {
        /// How many it does not want.
        refused: u64,
        /// What it says about those.
        said: String,
    },
    /// It may have them another time.
    Retry {
        /// Not before, in its own words.
        after: Option<Duration>,
        /// For the log.
        why: String,
    },
    /// Over its limit.
    TooLarge,
    /// The receiver cannot read it. One item that it finds malformed must not cost the others.
    Malformed,
    /// It will never have them.
    Final {
        /// For the log.
        why: String,
    },
}

impl Answer {
    /// A failure that may pass.
    pub fn retry(why: impl Into<String>) -> Self {
        Self::Retry { after: None, why: why.into() }
    }
}

/// The parts of an HTTP answer that count.
#[derive(Debug, Default)]
pub struct HttpAnswer<'a> {
    /// The status code.
    pub status: u16,
    /// Retry-After.
    pub retry_after: Option<&'a str>,
    /// The receiver's clock, which its Retry-After counts by.
    pub date: Option<&'a str>,
    /// The body is JSON.
    pub json: bool,
    /// Empty when it broke off.
    pub body: &'a [u8],
}

/// An answer over HTTP.
pub fn of_http(answer: &HttpAnswer, signal: Signal) -> Answer {
    let again = || Answer::Retry {
        after: answer.retry_after.and_then(|text| retry_after(text, answer.date, SystemTime::now())),
        why: format!("HTTP {}", answer.status),
    };
    match answer.status {
        // The status is the receiver's word that it has them, also when the rest breaks off.
        200..=299 => match answer.json {
            true => delivered_json(answer.body, signal),
            false => delivered(answer.body),
        },
        413 => Answer::TooLarge,
        400 => Answer::Malformed,
        408 | 429 | 500..=599 => again(),
        401 | 403 => Answer::Final { why: format!("HTTP {}: {REFUSED_KEY}", answer.status) },
        status => Answer::Final { why: format!("HTTP {status} from the OTLP intake") },
    }
}

const REFUSED_KEY: &str = "the API key was refused by the OTLP intake";

/// The body of a success: ExportTraceServiceResponse and ExportLogsServiceResponse have the same fields. One that is no
/// protobuf (some receivers send text or nothing) confirms all.
pub fn delivered(body: &[u8]) -> Answer {
    let partial = wire::last(body, 1).map_or(&[][..], wire::Value::bytes);
    let refused = wire::last(partial, 1).map_or(0, wire::Value::number).cast_signed();
    let said = wire::last(partial, 2).map_or(&[][..], wire::Value::bytes);
    Answer::Delivered { refused: u64::try_from(refused).unwrap_or(0), said: String::from_utf8_lossy(said).into_owned() }
}

/// The same as JSON, where 64-bit numbers are text.
fn delivered_json(body: &[u8], signal: Signal) -> Answer {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = answer.get("partialSuccess");
    let refused = partial.and_then(|partial| {
        partial.get(match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
        })
    });
    let refused = refused.and_then(|n| n.as_u64().or_else(|| n.as_str()?.parse().ok())).unwrap_or(0);
    let said = partial.and_then(|partial| partial.get("errorMessage")?.as_str()).unwrap_or_default();
    Answer::Delivered { refused, said: said.to_owned() }
}

/// An answer over gRPC that is not OK. `details` is an encoded google.rpc.Status.
pub fn of_grpc(code: u32, message: &str, details: &[u8]) -> Answer {
    let after = retry_info(details).map(|after| after.min(LONGEST_RETRY_AFTER));
    let too_large = {
        let message = message.to_ascii_lowercase();
        ["larger than max", "too large", "exceeds maximum size", "exceeds the maximum"]
            .iter()
            .any(|words| message.contains(words))
    };
    let name = grpc_name(code);
    match code {
        // Its message is what tells a limit of size from a limit of rate.
        8 | 11 if too_large && after.is_none() => Answer::TooLarge,
        8 if after.is_none() => Answer::Final { why: format!("gRPC {name} from the OTLP intake") },
        1 | 4 | 8 | 10 | 11 | 14 | 15 => Answer::Retry { after, why: format!("gRPC {name}") },
        3 => Answer::Malformed,
        7 | 16 => Answer::Final { why: format!("gRPC {name}: {REFUSED_KEY}") },
        _ => Answer::Final { why: format!("gRPC {name} from the OTLP intake") },
    }
}

/// An HTTP answer in the place of a gRPC one, by gRPC's own table: a proxy's, or that of a server that speaks no gRPC.
pub fn of_http_to_grpc(status: u16, retry_after_seconds: Option<Duration>) -> Answer {
    let why = format!("HTTP {status} where gRPC was expected");
    match status {
        429 | 502 | 503 | 504 => Answer::Retry { after: retry_after_seconds, why },
        401 | 403 => Answer::Final { why: format!("HTTP {status}: {REFUSED_KEY}") },
        413 => Answer::TooLarge,
        _ => Answer::Final { why: format!("{why}; is the endpoint a gRPC one?") },
    }
}

fn grpc_name(code: u32) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let name = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    name.map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

/// The delay of a google.rpc.RetryInfo among a status's details.
fn retry_info(status: &[u8]) -> Option<Duration> {
    let details = wire::fields(status).filter(|(number, _)| *number == 3).map(|(_, any)| any.bytes());
    details.into_iter().find_map(|any| {
        let kind = wire::last(any, 1)?.bytes();
        if !kind.ends_with(b"/google.rpc.RetryInfo") {
            return None;
        }
        let delay = wire::last(wire::last(any, 2)?.bytes(), 1)?.bytes();
        let part = |number| wire::last(delay, number).map_or(0, wire::Value::number);
        // A negative delay, which no receiver means.
        let seconds = u64::try_from(part(1).cast_signed()).ok()?;
        Some(Duration::new(seconds, u32::try_from(part(2)).unwrap_or(0).min(999_999_999)))
    })
}

/// Retry-After: seconds, or a date, which counts by the receiver's own clock where it tells it.
pub fn retry_after(text: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let after = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now = date.and_then(http_date).unwrap_or(now);
            http_date(text)?.duration_since(now).unwrap_or_default()
        }
    };
    Some(after.min(LONGEST_RETRY_AFTER))
}

/// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that servers may send. (The two forms of the last century are ignored.)
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().split_once(", ")?;
    let parts: Vec<&str> = rest.split([' ', ':']).collect();
    let [day, month, year, hour, minute, second, "GMT"] = parts.as_slice() else { return None };
    let number = |text: &str, length: usize| -> Option<u64> {
        let digits = text.len() == length && text.bytes().all(|c| c.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    let month = u64::try_from(MONTHS.iter().position(|name| name == month)?).ok()? + 1;
    let (day, year) = (number(day, 2)?, number(year, 4)?);
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    if hour > 23 || minute > 59 || second > 60 || year < 1970 || !(1..=31).contains(&day) {
        return None;
    }
    // Days from a civil date, counted in years that start in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let seconds = days.checked_sub(719_468)? * 86_400 + hour * 3_600 + minute * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        http_date(text)?.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
    }

    #[test]
    fn http_dates() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Sun, 22 Nov 2026 12:00:00 GMT", Some(1_795_348_800)),
            ("Fri, 31 Dec 9999 23:59:60 GMT", Some(253_402_300_800)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT x", None),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 +8:49:37 GMT", None),
            ("Sun, 06 Nov 0000 08:49:37 GMT", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        let at = |text| http_date(text).unwrap();
        let now = at("Sun, 22 Nov 2026 12:00:00 GMT");
        let after = |text, date| retry_after(text, date, now).map(|after| after.as_secs());
        assert_eq!(after("2", None), Some(2));
        assert_eq!(after(" 0 ", None), Some(0));
        assert_eq!(after("86400", None), Some(300));
        assert_eq!(after("Sun, 22 Nov 2026 12:00:07 GMT", None), Some(7));
        assert_eq!(after("Sun, 22 Nov 2026 11:00:00 GMT", None), Some(0));
        assert_eq!(after("Sun, 22 Nov 2027 12:00:07 GMT", None), Some(300));
        // The receiver's clock is an hour late.
        assert_eq!(after("Sun, 22 Nov 2026 11:00:05 GMT", Some("Sun, 22 Nov 2026 11:00:00 GMT")), Some(5));
        for odd in ["soon", "-5", "1.5", "", "99999999999999999999999"] {
            assert_eq!(after(odd, None), None, "{odd}");
        }
    }

    #[test]
    fn http_answers() {
        let of = |status| of_http(&HttpAnswer { status, ..HttpAnswer::default() }, Signal::Traces);
        for status in [200, 202, 204] {
            assert_eq!(of(status), Answer::Delivered { refused: 0, said: String::new() });
        }
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(of(status), Answer::Retry { after: None, .. }), "{status}");
        }
        for status in [301, 302, 307, 401, 403, 404, 405, 415, 421, 600] {
            assert!(matches!(of(status), Answer::Final { .. }), "{status}");
        }
        assert_eq!((of(413), of(400)), (Answer::TooLarge, Answer::Malformed));
        let json = |body: &str, signal| {
            of_http(&HttpAnswer { status: 200, json: true, body: body.as_bytes(), ..HttpAnswer::default() }, signal)
        };
        let delivered = |refused, said: &str| Answer::Delivered { refused, said: said.into() };
        let spans = r#"{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "old"}}"#;
        assert_eq!(json(spans, Signal::Traces), delivered(2, "old"));
        assert_eq!(json(spans, Signal::Logs), delivered(0, "old"));
        assert_eq!(json(r#"{"partialSuccess": {"rejectedLogRecords": 3}}"#, Signal::Logs), delivered(3, ""));
        for odd in
            ["", "<html>", "[]", "null", r#"{"partialSuccess": 5}"#, r#"{"partialSuccess": {"rejectedSpans": "-1"}}"#]
        {
            assert_eq!(json(odd, Signal::Traces), delivered(0, ""), "{odd}");
        }
    }

    /// google.rpc.Status {details: [Any {type_url, RetryInfo {retry_delay {seconds, nanos}}}]}
    fn status_with(kind: &str, seconds: u64, nanos: u64) -> Vec<u8> {
        let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let mut delay = vec![8];
        prost::encoding::encode_varint(seconds, &mut delay);
        delay.push(16);
        prost::encoding::encode_varint(nanos, &mut delay);
        let any = [field(1, kind.as_bytes()), field(2, &field(1, &delay))].concat();
        [vec![8, 14], field(2, b"wait"), field(3, &field(1, b"other")), field(3, &any)].concat()
    }

    #[test]
    fn grpc_answers() {
        let info = |seconds, nanos| status_with("type.googleapis.com/google.rpc.RetryInfo", seconds, nanos);
        for code in [1, 4, 10, 11, 14, 15] {
            assert!(matches!(of_grpc(code, "", &[]), Answer::Retry { after: None, .. }), "{code}");
        }
        for code in [2, 5, 6, 7, 8, 9, 12, 13, 16, 17, 99] {
            assert!(matches!(of_grpc(code, "", &[]), Answer::Final { .. }), "{code}");
        }
        assert_eq!(of_grpc(3, "", &[]), Answer::Malformed);
        let after = |code, details: &[u8]| match of_grpc(code, "", details) {
            Answer::Retry { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(14, &info(2, 500_000_000)), Some(Duration::from_millis(2_500)));
        assert_eq!(after(8, &info(0, 0)), Some(Duration::ZERO));
        assert_eq!(after(8, &info(1_000_000, 0)), Some(LONGEST_RETRY_AFTER));
        assert_eq!(after(14, &info(u64::MAX, 0)), None);
        assert_eq!(after(14, &status_with("type.googleapis.com/google.rpc.Help", 1, 0)), None);
        assert_eq!(after(14, b"\xff\xff\xff"), None);
        for message in [
            "grpc: received message larger than max (5000000 vs. 4194304)",
            "Received message larger than max (5000000 vs. 4194304)",
            "gRPC message exceeds maximum size 4194304: 5000000",
            "CLIENT: Sent message larger than max",
            "Error, decoded message length too large: found 5000000 bytes, the limit is: 4194304 bytes",
        ] {
            assert_eq!((of_grpc(8, message, &[]), of_grpc(11, message, &[])), (Answer::TooLarge, Answer::TooLarge));
        }
        for (status, retried) in
            [(429, true), (502, true), (503, true), (504, true), (404, false), (200, false), (500, false)]
        {
            assert_eq!(matches!(of_http_to_grpc(status, None), Answer::Retry { .. }), retried, "{status}");
        }
    }
}
