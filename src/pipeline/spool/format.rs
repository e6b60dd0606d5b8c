//! The form of a spool file: a head, a table that says which records are settled, the records. Nothing here touches a disk.
//!
//! All numbers are little-endian. The head has 64 bytes: "mprspool", version (u32), places of the table (u32), destination
//! (16 bytes: whose data it is), salt (16), zeros, CRC-32 of what stands before. The table has a byte for each record, since
//! setting one needs no room on a full disk. A record is 40 bytes and its payload:
//!
//! | 0 | 4 | 8 | 16 | 17 | 18 | 25 | 28 | 32 | 36 |
//! |---|---|---|---|---|---|---|---|---|---|
//! | mark: the salt's first bytes | number: its place in the table | Unix time, ms | kind | 1: error | session | 0 | where its envelope is | bytes of the payload | CRC-32 of salt, head, payload |
//!
//! The salt is random: nothing that a host records can look like a record of the file that it stands in.

use std::io;

use flate2::Crc;

use crate::pipeline::otlp::Signal;
use crate::trace::SessionPrefix;

/// Bytes of a file's head.
pub const FILE_HEAD: usize = 64;
/// Bytes of a record before its payload.
pub const RECORD_HEAD: usize = 40;
/// The table's byte of a record that is settled. Any other one says that it waits.
pub const SETTLED: u8 = 0xa5;
/// A longer payload is not written. (Items are below 1 MB; what several of them share may be larger.)
pub const LONGEST_PAYLOAD: usize = 4 * 1024 * 1024;

const MAGIC: [u8; 8] = *b"mprspool";
const VERSION: u32 = 1;
/// No table is longer.
const MOST_PLACES: u32 = 1 << 24;
/// How much of a file is read at a time.
const STEP: usize = 256 * 1024;

/// The head of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHead {
    /// How many records it can have.
    pub places: u32,
    /// Whose data it is.
    pub destination: [u8; 16],
    /// Its own.
    pub salt: [u8; 16],
}

impl FileHead {
    /// Where the first record begins.
    pub fn start(&self) -> u64 {
        FILE_HEAD as u64 + u64::from(self.places)
    }

    /// Its bytes.
    pub fn bytes(&self) -> [u8; FILE_HEAD] {
        let mut bytes = [0; FILE_HEAD];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &VERSION.to_le_bytes());
        put(&mut bytes, 12, &self.places.to_le_bytes());
        put(&mut bytes, 16, &self.destination);
        put(&mut bytes, 32, &self.salt);
        let checksum = checksum(&[bytes.get(..60).unwrap_or_default()]);
        put(&mut bytes, 60, &checksum.to_le_bytes());
        bytes
    }

    /// None when this is no head, or one of another version.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..FILE_HEAD)?;
        let intact = u32_at(head, 60)? == checksum(&[head.get(..60)?]);
        let known = head.starts_with(&MAGIC) && u32_at(head, 8)? == VERSION;
        let places = u32_at(head, 12)?;
        (intact && known && places <= MOST_PLACES).then_some(Self {
            places,
            destination: array_at(head, 16)?,
            salt: array_at(head, 32)?,
        })
    }

    fn mark(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.salt;
        // Never the zeros behind the last record.
        [a | 1, b, c, d]
    }
}

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What items share.
    Envelope,
    /// A span or log.
    Item(Signal),
}

/// A record before its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHead {
    /// Its place in the table; an envelope has none.
    pub number: u32,
    /// Milliseconds since 1970.
    pub time: u64,
    /// What it holds.
    pub kind: Kind,
    /// A span that ended in error.
    pub error: bool,
    /// The item's session.
    pub session: SessionPrefix,
    /// Where the item's envelope begins.
    pub envelope: u32,
    /// Bytes of the payload.
    pub length: u32,
}

/// Appends a record.
pub fn append(out: &mut Vec<u8>, file: &FileHead, record: &RecordHead, payload: &[u8]) {
    let mut head = [0; RECORD_HEAD];
    put(&mut head, 0, &file.mark());
    put(&mut head, 4, &record.number.to_le_bytes());
    put(&mut head, 8, &record.time.to_le_bytes());
    let kind = match record.kind {
        Kind::Envelope => 1,
        Kind::Item(Signal::Traces) => 2,
        Kind::Item(Signal::Logs) => 3,
    };
    put(&mut head, 16, &[kind, u8::from(record.error)]);
    put(&mut head, 18, &record.session.0);
    put(&mut head, 28, &record.envelope.to_le_bytes());
    put(&mut head, 32, &record.length.to_le_bytes());
    let checksum = checksum(&[&file.salt, head.get(..36).unwrap_or_default(), payload]);
    put(&mut head, 36, &checksum.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
}

/// The record at the beginning of these bytes with its payload, if a whole and undamaged one stands there.
pub fn parse<'a>(file: &FileHead, bytes: &'a [u8]) -> Option<(RecordHead, &'a [u8])> {
    let head = parse_head(file, bytes)?;
    let payload = bytes.get(RECORD_HEAD..RECORD_HEAD + head.length as usize)?;
    let right = checksum(&[&file.salt, bytes.get(..36)?, payload]) == u32_at(bytes, 36)?;
    right.then_some((head, payload))
}

/// What the head of a record says, if it looks like one.
pub fn parse_head(file: &FileHead, bytes: &[u8]) -> Option<RecordHead> {
    let bytes = bytes.get(..RECORD_HEAD)?;
    let length = u32_at(bytes, 32)?;
    let number = u32_at(bytes, 4)?;
    let kind = match bytes.get(16)? {
        1 => Kind::Envelope,
        2 => Kind::Item(Signal::Traces),
        3 => Kind::Item(Signal::Logs),
        _ => return None,
    };
    let fits = length as usize <= LONGEST_PAYLOAD && (kind == Kind::Envelope || number < file.places);
    (bytes.starts_with(&file.mark()) && fits).then_some(RecordHead {
        number,
        time: u64::from_le_bytes(array_at(bytes, 8)?),
        kind,
        error: *bytes.get(17)? == 1,
        session: SessionPrefix(array_at(bytes, 18)?),
        envelope: u32_at(bytes, 28)?,
        length,
    })
}

/// Reads a file's records from a place on, and hands each whole and undamaged one to `found` with its place. What is
/// damaged is stepped over: one bad block costs the records in it. Returns how many such gaps there were.
///
/// `read` fills the buffer from a place of the file, as far as there is something.
///
/// # Errors
/// Those of `read`; what was found before was handed over.
pub fn scan(
    file: &FileHead,
    read: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<usize>,
    found: &mut dyn FnMut(u64, &RecordHead, &[u8]),
) -> io::Result<u64> {
    let mut window = Window { read, at: file.start(), bytes: Vec::new(), from: 0, ended: false };
    let (mut gaps, mut in_gap) = (0, false);
    loop {
        let bytes = window.look(RECORD_HEAD)?;
        if bytes.is_empty() {
            return Ok(gaps);
        }
        let wanted = parse_head(file, bytes).map_or(0, |head| RECORD_HEAD + head.length as usize);
        let at = window.at;
        let bytes = window.look(wanted)?;
        if let Some((head, payload)) = parse(file, bytes) {
            found(at, &head, payload);
            window.skip(wanted);
            in_gap = false;
            continue;
        }
        // To the next mark. Zeros are what was never written.
        let bytes = window.look(RECORD_HEAD)?;
        let mark = file.mark();
        let next = bytes.windows(mark.len()).skip(1).position(|four| four == mark).map(|place| place + 1);
        let next = next.unwrap_or_else(|| bytes.len().saturating_sub(mark.len() - 1).max(1));
        if !in_gap && bytes.iter().take(next).any(|byte| *byte != 0) {
            gaps += 1;
            in_gap = true;
        }
        window.skip(next);
    }
}

/// A piece of a file.
struct Window<'a> {
    read: &'a mut dyn FnMut(u64, &mut [u8]) -> io::Result<usize>,
    /// Where in the file the next byte stands.
    at: u64,
    bytes: Vec<u8>,
    /// What of `bytes` is behind us.
    from: usize,
    ended: bool,
}

impl Window<'_> {
    /// The next bytes: as many as are there, and so many at least where the file has them.
    fn look(&mut self, least: usize) -> io::Result<&[u8]> {
        if self.bytes.len() - self.from < least && !self.ended {
            self.bytes.drain(..self.from);
            self.from = 0;
            let held = self.bytes.len();
            self.bytes.resize(least.max(STEP), 0);
            let mut filled = held;
            while let Some(room) = self.bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
                let got = (self.read)(self.at + filled as u64, room)?;
                if got == 0 {
                    self.ended = true;
                    break;
                }
                filled += got;
            }
            self.bytes.truncate(filled);
        }
        Ok(self.bytes.get(self.from..).unwrap_or_default())
    }

    fn skip(&mut self, count: usize) {
        self.from = (self.from + count).min(self.bytes.len());
        self.at += count as u64;
    }
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    parts.iter().for_each(|part| crc.update(part));
    crc.sum()
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: FileHead = FileHead { places: 100, destination: [7; 16], salt: *b"salt and pepper." };

    fn record(number: u32, length: usize) -> RecordHead {
        RecordHead {
            number,
            time: 1_795_348_800_000,
            kind: Kind::Item(if number.is_multiple_of(2) { Signal::Traces } else { Signal::Logs }),
            error: number.is_multiple_of(3),
            session: SessionPrefix([0xde, 0xbd, 0xeb, 1, 2, 3, 4]),
            envelope: 164,
            length: u32::try_from(length).unwrap(),
        }
    }

    /// A file with records of these lengths, and where each begins.
    fn file(lengths: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = HEAD.bytes().to_vec();
        bytes.resize(HEAD.start() as usize, 0);
        let places = lengths.iter().enumerate().map(|(n, length)| {
            let (number, at) = (u32::try_from(n).unwrap(), bytes.len());
            append(&mut bytes, &HEAD, &record(number, *length), &payload(number, *length));
            at
        });
        let places = places.collect();
        (bytes, places)
    }

    fn payload(number: u32, length: usize) -> Vec<u8> {
        (0..length).map(|n| (n * 7 + number as usize) as u8).collect()
    }

    /// The numbers of the records found, each of which is checked, and the gaps.
    fn scanned(bytes: &[u8], most_at_a_time: usize) -> (Vec<u32>, u64) {
        let mut numbers = Vec::new();
        let mut read = |at: u64, out: &mut [u8]| {
            let rest = bytes.get(at as usize..).unwrap_or_default();
            let count = rest.len().min(out.len()).min(most_at_a_time);
            out[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        };
        let gaps = scan(&HEAD, &mut read, &mut |_, head, found| {
            assert_eq!((*head, found), (record(head.number, found.len()), &*payload(head.number, found.len())));
            numbers.push(head.number);
        });
        (numbers, gaps.unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut bytes, _) = file(&[0, 1, 300, STEP - 50, 5, 3 * STEP, 17]);
        assert_eq!(scanned(&bytes, usize::MAX), ((0..7).collect(), 0));
        assert_eq!(scanned(&bytes, 1000), ((0..7).collect(), 0));
        // Room that was reserved and not used.
        bytes.resize(bytes.len() + 2 * STEP, 0);
        assert_eq!(scanned(&bytes, usize::MAX), ((0..7).collect(), 0));
        assert_eq!(FileHead::parse(&bytes), Some(HEAD));
        assert_eq!(scanned(&bytes[..HEAD.start() as usize], usize::MAX), (vec![], 0));
        assert_eq!(scanned(&bytes[..10], usize::MAX), (vec![], 0));
    }

    #[test]
    fn every_cut_costs_what_is_cut() {
        let (bytes, places) = file(&[60, 0, 45, 80]);
        for length in HEAD.start() as usize..bytes.len() {
            let whole: Vec<u32> =
                (0..4).filter(|n| places.get(*n as usize + 1).is_some_and(|end| *end <= length)).collect();
            let at_a_border = length == HEAD.start() as usize || places.contains(&length);
            assert_eq!(scanned(&bytes[..length], usize::MAX), (whole.clone(), u64::from(!at_a_border)), "{length}");
            // Torn by a crash of the system: the rest is zeros, or another file's.
            for rest in [0, 0xff] {
                let mut torn = bytes.clone();
                torn[length..].fill(rest);
                let (found, _) = scanned(&torn, usize::MAX);
                // Zeros may be what stood there.
                assert!(found == whole || rest == 0 && found.starts_with(&whole), "{length}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_costs_one_record() {
        let (bytes, places) = file(&[60, 0, 45, 80]);
        for at in HEAD.start() as usize..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let hit = places.iter().rposition(|place| *place <= at).unwrap() as u32;
                let rest: Vec<u32> = (0..4).filter(|n| *n != hit).collect();
                assert_eq!(scanned(&damaged, usize::MAX), (rest, 1), "{at} {bit}");
            }
        }
        for at in 0..FILE_HEAD {
            for bit in 0..8 {
                let mut damaged = HEAD.bytes();
                damaged[at] ^= 1 << bit;
                assert_eq!(FileHead::parse(&damaged), None, "{at} {bit}");
            }
        }
        for length in 0..FILE_HEAD {
            assert_eq!(FileHead::parse(&bytes[..length]), None);
        }
    }

    /// A power failure leaves any part of what was written since the last fdatasync, in whole sectors.
    #[test]
    fn whatever_sectors_reached_the_disk_their_records_are_found() {
        const SECTOR: usize = 512;
        let mut seed = 0x9E37_79B9_7F4A_7C15u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let (mut found_behind_a_loss, mut lost) = (0, 0);
        for _ in 0..2_000 {
            let lengths: Vec<usize> = (0..random(30) + 1).map(|_| random(4).pow(7) % (random(3_000) + 1)).collect();
            let (bytes, places) = file(&lengths);
            // What was synced stands; behind it each sector is there or is what was there before: zeros, or nothing.
            let synced = places[random(places.len())];
            let mut disk = bytes.clone();
            for (n, sector) in disk.chunks_mut(SECTOR).enumerate() {
                if n * SECTOR >= synced && random(3) == 0 {
                    sector.fill(0);
                }
            }
            if random(2) == 0 {
                disk.truncate((synced + random(bytes.len() - synced + 1)).max(synced));
            }
            let is_there = |n: usize| {
                let (begin, end) = (places[n], places[n] + RECORD_HEAD + lengths[n]);
                end <= disk.len() && bytes[begin..end] == disk[begin..end]
            };
            let there: Vec<u32> = (0..places.len()).filter(|n| is_there(*n)).map(|n| n as u32).collect();
            assert!((0..places.len()).all(|n| places[n] >= synced || is_there(n)), "what was synced is there");
            lost += places.len() - there.len();
            found_behind_a_loss += there.iter().enumerate().filter(|(n, number)| *n < **number as usize).count();
            let (mut numbers, _) = scanned(&disk, usize::MAX);
            numbers.sort_unstable();
            assert_eq!(numbers, there);
        }
        assert!(lost > 1_000 && found_behind_a_loss > 1_000, "{lost} {found_behind_a_loss}");
    }

    #[test]
    fn what_is_recorded_cannot_look_like_a_record() {
        let other = FileHead { salt: *b"another's salt..", ..HEAD };
        let mut forged = Vec::new();
        append(&mut forged, &other, &record(5, 4), b"evil");
        let (mut bytes, _) = file(&[]);
        append(&mut bytes, &HEAD, &RecordHead { length: forged.len() as u32, ..record(0, 0) }, &forged);
        let start = HEAD.start() as usize;
        // The record around it is damaged, so its payload is looked through.
        bytes[start + 8] ^= 1;
        assert_eq!(scanned(&bytes, usize::MAX), (vec![], 1));
    }

    #[test]
    fn errors_of_the_disk_are_passed_on() {
        let (bytes, _) = file(&[60; 20]);
        let mut read = |at: u64, out: &mut [u8]| match at {
            0..1000 => {
                let count = out.len().min(100);
                out[..count].copy_from_slice(&bytes[at as usize..at as usize + count]);
                Ok(count)
            }
            _ => Err(io::Error::from_raw_os_error(5)),
        };
        assert_eq!(scan(&HEAD, &mut read, &mut |_, _, _| {}).unwrap_err().raw_os_error(), Some(5));
    }
}
