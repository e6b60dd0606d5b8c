//! One file of the spool, held by this process.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use rand::Rng;

use super::dir::{Dir, STALE};
use super::format::{self, FileHead, Kind, RecordHead, FILE_HEAD, RECORD_HEAD, SETTLED};
use crate::pipeline::budget::Budget;
use crate::pipeline::otlp::Envelope;
use crate::pipeline::queue::Job;
use crate::process::os::LockedFile;

/// An envelope is repeated after so many bytes: a damaged one costs only the items up to there.
const ENVELOPE_REACH: u64 = 64 * 1024;
/// An item is read in one go when it is no longer.
const FIRST_READ: usize = 4096;
/// Bytes of records for each place of the table.
const BYTES_A_PLACE: u64 = 256;

/// See the module.
pub struct Segment {
    /// Its own number in this recorder.
    pub serial: u32,
    path: PathBuf,
    file: LockedFile,
    head: FileHead,
    /// Behind the last record.
    end: u64,
    /// How long the file is.
    pub length: u64,
    /// Where each record begins; 0 for none.
    offsets: Vec<u32>,
    /// Records that are not settled.
    pub waiting: u64,
    /// Those of them that are not in memory, oldest first.
    pub unloaded: VecDeque<u32>,
    /// When the last record was written, in milliseconds.
    pub newest: u64,
    /// An earlier process's.
    pub taken_over: bool,
    /// Damaged places that were found when it was read.
    pub damaged: u64,
    written: HashMap<usize, (Weak<Envelope>, u32)>,
    loaded: HashMap<u32, Weak<Envelope>>,
}

/// Records that are to be written.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// How many of the jobs, and their numbers.
    pub numbers: Vec<u32>,
}

impl Batch {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Segment {
    /// A new file. None when there is no room for one.
    ///
    /// # Errors
    /// Those of the system; nothing is left then.
    pub fn create(dir: &Dir, serial: u32) -> io::Result<Option<Self>> {
        let places = u32::try_from(dir.segment_bytes() / BYTES_A_PLACE).unwrap_or(u32::MAX);
        let head = FileHead { places, destination: dir.destination, salt: rand::rng().random() };
        let Some((path, file)) = dir.create()? else { return Ok(None) };
        let begun = || -> io::Result<Option<u64>> {
            let Some(length) = dir.grow(&file, head.start() + RECORD_HEAD as u64)? else { return Ok(None) };
            // The table is written, not only reserved: setting a byte of it must not fail on a full disk.
            let mut start = head.bytes().to_vec();
            start.resize(usize::try_from(head.start()).unwrap_or(FILE_HEAD), 0);
            file.write_all_at(&start, 0)?;
            Ok(Some(length))
        };
        match begun() {
            Ok(Some(length)) => Ok(Some(Self::new(serial, path, file, head, length))),
            other => {
                let _ = fs::remove_file(&path);
                other.map(|_| None)
            }
        }
    }

    fn new(serial: u32, path: PathBuf, file: LockedFile, head: FileHead, length: u64) -> Self {
        Self {
            serial,
            path,
            file,
            head,
            end: head.start(),
            length,
            offsets: Vec::new(),
            waiting: 0,
            unloaded: VecDeque::new(),
            newest: 0,
            taken_over: false,
            damaged: 0,
            written: HashMap::new(),
            loaded: HashMap::new(),
        }
    }

    /// A file that an earlier process left. None when it is for another destination. One with nothing in it, and one that
    /// nobody came for, is removed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read(path: PathBuf, file: LockedFile, serial: u32, destination: &[u8; 16]) -> io::Result<Option<Self>> {
        let mut bytes = [0; FILE_HEAD];
        let found = read_at(&file, 0, &mut bytes)?;
        let Some(head) = FileHead::parse(&bytes).filter(|head| head.destination == *destination) else {
            // Its process was killed before the head was written; or it is of another version, or service.
            let empty = bytes.iter().take(found).all(|byte| *byte == 0);
            if empty || is_stale(&file) {
                let _ = fs::remove_file(&path);
            }
            return Ok(None);
        };
        let mut table = vec![0; head.places as usize];
        read_at(&file, FILE_HEAD as u64, &mut table)?;
        let length = file.metadata()?.len();
        let mut segment = Self { taken_over: true, ..Self::new(serial, path, file, head, length) };
        let (offsets, unloaded, newest) = (&mut segment.offsets, &mut segment.unloaded, &mut segment.newest);
        let file = &segment.file;
        let scanned = format::scan(&head, &mut |at, out| read_at(file, at, out), &mut |at, record, _| {
            *newest = record.time.max(*newest);
            let number = record.number as usize;
            let (Kind::Item(_), Ok(at)) = (record.kind, u32::try_from(at)) else { return };
            if table.get(number) == Some(&SETTLED) || offsets.get(number).is_some_and(|known| *known != 0) {
                return;
            }
            offsets.resize(offsets.len().max(number + 1), 0);
            if let Some(place) = offsets.get_mut(number) {
                *place = at;
            }
            unloaded.push_back(record.number);
        });
        segment.waiting = segment.unloaded.len() as u64;
        // A disk that fails in the middle costs what is behind that place.
        segment.damaged = scanned.unwrap_or(1);
        if segment.waiting == 0 {
            segment.remove();
            return Ok(None);
        }
        Ok(Some(segment))
    }

    /// Whether it is this file.
    pub fn is(&self, path: &std::path::Path) -> bool {
        self.path == path
    }

    /// Whether another record fits.
    pub fn has_room(&self, dir: &Dir, batch: &Batch, bytes: usize) -> bool {
        let full = self.offsets.len() >= self.head.places as usize;
        let end = self.end + (batch.len() + bytes) as u64;
        // One that is longer than all of a file has one to itself.
        !full && (end <= dir.segment_bytes() || self.is_empty() && batch.len() == 0)
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.end == self.head.start()
    }

    /// Whether the file is still in the directory.
    pub fn is_there(&self) -> bool {
        self.file.metadata().is_ok_and(|found| found.nlink() > 0)
    }

    /// Adds an item to what is to be written. False when it is too long for the spool.
    pub fn put(&mut self, batch: &mut Batch, job: &Job) -> bool {
        let (resource, scope) = job.envelope.parts();
        let shared = resource.len() + scope.len() + 4;
        let at = |batch: &Batch| self.end + batch.len() as u64;
        let fits = at(batch) + (shared + job.bytes.len()) as u64 <= u64::from(u32::MAX) - 1024;
        let (Ok(number), Ok(length)) = (u32::try_from(self.offsets.len()), u32::try_from(job.bytes.len())) else {
            return false;
        };
        if !fits || shared.max(job.bytes.len()) > format::LONGEST_PAYLOAD {
            return false;
        }
        let place = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
        let mut record = RecordHead {
            number: u32::MAX,
            time: job.time,
            kind: Kind::Envelope,
            error: job.error,
            session: job.session,
            envelope: 0,
            length: u32::try_from(shared).unwrap_or(u32::MAX),
        };
        let key = Arc::as_ptr(&job.envelope) as usize;
        let known = self.written.get(&key).map(|(_, offset)| *offset);
        let envelope = known.filter(|offset| at(batch) - u64::from(*offset) < ENVELOPE_REACH);
        let envelope = envelope.unwrap_or_else(|| {
            let offset = place(at(batch));
            let count = u32::try_from(resource.len()).unwrap_or(u32::MAX).to_le_bytes();
            format::append(&mut batch.bytes, &self.head, &record, &[&count, resource, scope].concat());
            // The weak reference keeps the address from being used again.
            if self.written.len() >= 256 {
                self.written.retain(|_, (envelope, _)| envelope.strong_count() > 0);
            }
            self.written.insert(key, (Arc::downgrade(&job.envelope), offset));
            offset
        });
        let offset = place(self.end + batch.len() as u64);
        (record.number, record.kind) = (number, Kind::Item(job.signal));
        (record.envelope, record.length) = (envelope, length);
        format::append(&mut batch.bytes, &self.head, &record, &job.bytes);
        self.offsets.push(offset);
        batch.numbers.push(number);
        self.newest = self.newest.max(job.time);
        true
    }

    /// Writes what was put. False when the spool is full. After a failure nothing more must be put here.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&mut self, dir: &Dir, batch: &Batch) -> io::Result<bool> {
        let end = self.end + batch.len() as u64;
        if end > self.length {
            match dir.grow(&self.file, end)? {
                Some(length) => self.length = length,
                None => return Ok(false),
            }
        }
        if let Err(e) = self.file.write_all_at(&batch.bytes, self.end) {
            // What is there of it is ended, so that nobody finds it: it is still in memory.
            let _ = self.file.set_len(self.end);
            return Err(e);
        }
        self.end = end;
        self.waiting += batch.numbers.len() as u64;
        Ok(true)
    }

    /// Marks records as settled. What is settled and not marked would be sent twice.
    ///
    /// # Errors
    /// Those of the system.
    pub fn settle(&mut self, mut numbers: Vec<u32>) -> io::Result<()> {
        self.waiting = self.waiting.saturating_sub(numbers.len() as u64);
        if self.waiting == 0 {
            return Ok(()); // All of it goes.
        }
        numbers.sort_unstable();
        let marks = [SETTLED; 512];
        for run in numbers.chunk_by(|one, next| one + 1 == *next).flat_map(|run| run.chunks(marks.len())) {
            let (Some(first), Some(marks)) = (run.first(), marks.get(..run.len())) else { continue };
            self.file.write_all_at(marks, FILE_HEAD as u64 + u64::from(*first))?;
        }
        Ok(())
    }

    /// Begins anew, when nothing waits.
    ///
    /// # Errors
    /// Those of the system.
    pub fn reset(&mut self) -> io::Result<()> {
        let start = self.head.start();
        self.file.set_len(start)?;
        self.length = start;
        self.file.write_all_at(&vec![0; self.offsets.len()], FILE_HEAD as u64)?;
        self.end = start;
        self.offsets.clear();
        self.written.clear();
        self.loaded.clear();
        Ok(())
    }

    /// A record with what it holds. None when it is damaged.
    ///
    /// # Errors
    /// Those of the system.
    pub fn load(&self, number: u32) -> io::Result<Option<(RecordHead, Vec<u8>)>> {
        let Some(offset) = self.offsets.get(number as usize).filter(|offset| **offset != 0) else { return Ok(None) };
        self.record(*offset)
    }

    fn record(&self, offset: u32) -> io::Result<Option<(RecordHead, Vec<u8>)>> {
        let mut bytes = vec![0; FIRST_READ];
        let mut got = read_at(&self.file, offset.into(), &mut bytes)?;
        let Some(head) = format::parse_head(&self.head, bytes.get(..got).unwrap_or_default()) else { return Ok(None) };
        let wanted = RECORD_HEAD + head.length as usize;
        if wanted > bytes.len() {
            bytes.resize(wanted, 0);
            got = read_at(&self.file, offset.into(), &mut bytes)?;
        }
        let parsed = format::parse(&self.head, bytes.get(..got).unwrap_or_default());
        Ok(parsed.map(|(head, payload)| (head, payload.to_vec())))
    }

    /// What a record's items share. None when it is damaged.
    ///
    /// # Errors
    /// Those of the system.
    pub fn envelope(&mut self, offset: u32, budget: &Arc<Budget>) -> io::Result<Option<Arc<Envelope>>> {
        if let Some(envelope) = self.loaded.get(&offset).and_then(Weak::upgrade) {
            return Ok(Some(envelope));
        }
        let Some((head, mut resource)) = self.record(offset)?.filter(|(head, _)| head.kind == Kind::Envelope) else {
            return Ok(None);
        };
        debug_assert_eq!(head.length as usize, resource.len());
        let count = resource.first_chunk().map_or(0, |count| u32::from_le_bytes(*count) as usize);
        if resource.len() < 4 + count {
            return Ok(None);
        }
        let scope = resource.split_off(4 + count);
        resource.drain(..4);
        let envelope = Envelope::from_parts(resource, scope).on(budget);
        if envelope.has_room() {
            self.loaded.insert(offset, Arc::downgrade(&envelope));
        }
        Ok(Some(envelope))
    }

    /// Has the disk keep what is written.
    pub fn sync(&self) {
        let _ = self.file.sync_data();
    }

    /// Removes the file, which is still locked: nobody takes it over meanwhile.
    pub fn remove(self) {
        let _ = self.file.set_len(0);
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_stale(file: &LockedFile) -> bool {
    let age = file.metadata().and_then(|found| found.modified()).map(|time| SystemTime::now().duration_since(time));
    age.is_ok_and(|age| age.is_ok_and(|age| age > STALE))
}

/// Fills the buffer as far as the file goes.
fn read_at(file: &LockedFile, at: u64, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = out.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, at + filled as u64) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
