//! Trace ids that carry a session: their layout, the generator and the sampler. Knows nothing of the rest.
//!
//! Layout of the 16 bytes (the platform's, docs/protocol.md): 3 bytes kind, 4 bytes short id of the session (or the
//! client id), 9 bytes random.

pub mod ids;
pub mod sampler;

use std::sync::atomic::{AtomicU64, Ordering};

/// What the first three bytes of a trace id say; the numbers are the ABI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// An ordinary trace.
    None = 0,
    /// Documentation trace (`d0cd0c`): only feeds the platform's system map.
    Doc = 1,
    /// Belongs to a manual session (`debdeb`).
    Manual = 2,
    /// Belongs to a continuous session (`cdbcdb`).
    Continuous = 3,
    /// Tied to a client (`cdbcac`): never stored by the platform, its errors become issues.
    Session = 4,
    /// Tied to a client's crash buffer (`debcdb`).
    SessionCache = 5,
}

const PREFIXES: [(u32, Kind); 5] = [
    (0xdebdeb, Kind::Manual),
    (0xcdbcdb, Kind::Continuous),
    (0xd0cd0c, Kind::Doc),
    (0xcdbcac, Kind::Session),
    (0xdebcdb, Kind::SessionCache),
];

impl Kind {
    /// Read off a trace id.
    pub fn of(trace_id: &[u8; 16]) -> Self {
        let [a, b, c, ..] = *trace_id;
        let found = u32::from_be_bytes([0, a, b, c]);
        PREFIXES.iter().find(|(prefix, _)| *prefix == found).map_or(Self::None, |(_, kind)| *kind)
    }

    /// Whether traces of this kind are recorded whole, with content.
    pub fn in_session(self) -> bool {
        matches!(self, Self::Manual | Self::Continuous | Self::Session | Self::SessionCache)
    }

    fn prefix(self) -> [u8; 3] {
        let prefix = PREFIXES.iter().find(|(_, kind)| *kind == self).map_or(0, |(prefix, _)| *prefix);
        let [_, prefix @ ..] = prefix.to_be_bytes();
        prefix
    }
}

/// The first seven bytes of a trace id: the traces of one session share them, and the platform wants them sent apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SessionPrefix(pub [u8; 7]);

impl SessionPrefix {
    /// For a session of this kind and short id (8 lower-case hex digits). None when the short id is not one.
    pub fn new(kind: Kind, short_id: &str) -> Option<Self> {
        let [a, b, c] = kind.prefix();
        let [d, e, f, g] = parse_short_id(short_id)?;
        Some(Self([a, b, c, d, e, f, g]))
    }

    /// That of a trace id; the same for all traces outside sessions.
    pub fn of(trace_id: &[u8; 16]) -> Self {
        match Kind::of(trace_id) {
            Kind::None => Self::default(),
            _ => {
                let [a, b, c, d, e, f, g, ..] = *trace_id;
                Self([a, b, c, d, e, f, g])
            }
        }
    }

    /// The kind of the session.
    pub fn kind(self) -> Kind {
        let mut id = [0; 16];
        id[..7].copy_from_slice(&self.0);
        Kind::of(&id)
    }

    /// The short id as the platform writes it.
    pub fn short_id(self) -> String {
        self.0[3..].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The 4 bytes of a short id: exactly 8 lower-case hex digits, as the platform makes and compares them.
pub fn parse_short_id(text: &str) -> Option<[u8; 4]> {
    let lower_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    if text.len() != 8 || !text.bytes().all(lower_hex) {
        return None;
    }
    u32::from_str_radix(text, 16).ok().map(u32::to_be_bytes)
}

/// The session that new traces join, read by every generated id: seven bytes of prefix, and a top byte that is 1 while
/// one runs. One word, so that a reader never sees half of a change.
static CURRENT: AtomicU64 = AtomicU64::new(0);

/// Lets new traces join this session, or none.
pub fn set_current(session: Option<SessionPrefix>) {
    let word = session.map_or(0, |SessionPrefix([a, b, c, d, e, f, g])| u64::from_be_bytes([1, a, b, c, d, e, f, g]));
    CURRENT.store(word, Ordering::Release);
}

/// The session that new traces join.
pub fn current() -> Option<SessionPrefix> {
    match CURRENT.load(Ordering::Acquire).to_be_bytes() {
        [0, ..] => None,
        [_, prefix @ ..] => Some(SessionPrefix(prefix)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_those_of_the_platform() {
        let id = |hex: &str| {
            let mut id = [7; 16];
            id[..4].copy_from_slice(&u32::from_str_radix(hex, 16).unwrap().to_be_bytes());
            Kind::of(&id)
        };
        assert_eq!(id("debdeb00"), Kind::Manual);
        assert_eq!(id("cdbcdb00"), Kind::Continuous);
        assert_eq!(id("cdbcac00"), Kind::Session);
        assert_eq!(id("debcdb00"), Kind::SessionCache);
        assert_eq!(id("d0cd0c00"), Kind::Doc);
        assert_eq!(id("debdec00"), Kind::None);
    }

    #[test]
    fn short_ids_are_eight_lower_case_hex_digits() {
        assert_eq!(parse_short_id("0a1b2c3d"), Some([0x0a, 0x1b, 0x2c, 0x3d]));
        for bad in ["0A1B2C3D", "0a1b2c3", "0a1b2c3d4", "0a1b2c3g", "+a1b2c3d", ""] {
            assert_eq!(parse_short_id(bad), None, "{bad}");
        }
        let prefix = SessionPrefix::new(Kind::Continuous, "0a1b2c3d").unwrap();
        assert_eq!((prefix.kind(), prefix.short_id().as_str()), (Kind::Continuous, "0a1b2c3d"));
    }
}
