//! The directory of a spool, which several processes may share.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng;

use super::segment::Segment;
use crate::config::Config;
use crate::process::os::{self, LockedFile};

/// So many files make up the whole.
const PARTS: u64 = 32;
const SMALLEST_SEGMENT: u64 = 128 * 1024;
const LARGEST_SEGMENT: u64 = 512 * 1024 * 1024;
/// Files grow by so much at least, since growing is agreed on among all processes.
const SMALLEST_STEP: u64 = 16 * 1024;
const LARGEST_STEP: u64 = 256 * 1024;
/// How often, a millisecond apart, that agreement is asked for: whoever holds it may have been stopped.
const LOCK_TRIES: u32 = 50;
/// A file of somebody who never came back is removed after this.
pub const STALE: Duration = Duration::from_secs(3 * 3600 + 600);

/// See the module.
#[derive(Clone)]
pub struct Dir {
    path: PathBuf,
    max_bytes: u64,
    /// Whose data is sent from here. Another service's key must not take it along.
    pub destination: [u8; 16],
}

impl Dir {
    /// As configured. None without a spool.
    pub fn new(config: &Config) -> Option<Self> {
        let path = config.spool_dir.clone()?;
        // Workspace and project outlive a key; the session ids belong to the platform. The key itself is not written.
        let claims = config.key_claims.as_ref();
        let owner = match claims.and_then(|claims| claims.workspace.as_ref().zip(claims.project.as_ref())) {
            Some((workspace, project)) => format!("project {workspace} {project}"),
            None => format!("key {}", config.api_key.expose()),
        };
        let name = format!("mpr spool\0{}\0{owner}", config.api_base_url);
        let hash = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        let mut destination = [0; 16];
        destination.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Some(Self { path, max_bytes: config.spool_max_bytes, destination })
    }

    /// Makes the directory where it is missing, and looks whether nobody else can put files there.
    ///
    /// # Errors
    /// Those of the system, and what is wrong with the directory.
    pub fn check(&self) -> io::Result<()> {
        let found = match fs::metadata(&self.path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
                fs::metadata(&self.path)?
            }
            found => found?,
        };
        let wrong = |what| Err(Error::new(ErrorKind::PermissionDenied, what));
        if !found.is_dir() {
            return Err(Error::new(ErrorKind::NotADirectory, "it is no directory"));
        }
        if found.uid() != os::user() {
            return wrong("it belongs to another user; name one that can be made, or is this user's own");
        }
        if found.mode() & 0o022 != 0 {
            return wrong("other users can write to it; use chmod 700");
        }
        Ok(())
    }

    /// How it is called.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The files of all processes.
    ///
    /// # Errors
    /// Those of the system.
    pub fn files(&self) -> io::Result<Vec<PathBuf>> {
        let ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("mpr-") && name.ends_with(".spool")
        };
        Ok(fs::read_dir(&self.path)?.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect())
    }

    /// Whether an earlier process has left something.
    pub fn has_left(&self) -> bool {
        let left = |path: PathBuf| open(&path).ok().flatten().is_some();
        self.files().is_ok_and(|files| files.into_iter().any(left))
    }

    /// How large a file becomes.
    pub fn segment_bytes(&self) -> u64 {
        (self.max_bytes / PARTS).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT)
    }

    /// Makes a file longer, so that it has room for so many bytes, if all of them together stay within the bound.
    /// Returns its new length, or None.
    ///
    /// # Errors
    /// Those of the system.
    pub fn grow(&self, file: &File, needed: u64) -> io::Result<Option<u64>> {
        // Whoever grows holds this lock, so that the bound holds for all of them.
        let lock = self.path.join("mpr.lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let mut tries = 0..LOCK_TRIES;
        let _lock = loop {
            if let Some(lock) = LockedFile::lock(options.open(&lock)?)? {
                break lock;
            }
            if tries.next().is_none() {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let step = (self.max_bytes / 64).clamp(SMALLEST_STEP, LARGEST_STEP);
        let length = needed.next_multiple_of(step);
        let mut total = 0;
        for path in self.files()? {
            // One that is gone meanwhile takes nothing.
            total += fs::symlink_metadata(path).map_or(0, |found| found.len());
        }
        let more = length.saturating_sub(file.metadata()?.len());
        if total + more > self.max_bytes {
            return Ok(None);
        }
        file.set_len(length)?;
        Ok(Some(length))
    }

    /// A new file that is locked. None when somebody takes it for one that was left.
    ///
    /// # Errors
    /// Those of the system.
    pub fn create(&self) -> io::Result<Option<(PathBuf, LockedFile)>> {
        self.check()?;
        let path = self.path.join(format!("mpr-{:016x}.spool", rand::rng().random::<u64>()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path)?;
        match LockedFile::lock(file)? {
            Some(file) if file.metadata()?.nlink() > 0 => Ok(Some((path, file))),
            _ => {
                let _ = fs::remove_file(&path);
                Ok(None)
            }
        }
    }

    /// What an earlier process has left in a file: None when it is somebody's, or nobody's any more.
    ///
    /// # Errors
    /// Those of the system.
    pub fn take_over(&self, path: &Path, serial: u32) -> io::Result<Option<Segment>> {
        match open(path)? {
            Some(file) => Segment::read(path.to_owned(), file, serial, &self.destination),
            None => Ok(None),
        }
    }
}

/// Opens and locks a file, if it is a real one of ours that nobody holds.
fn open(path: &Path) -> io::Result<Option<LockedFile>> {
    let file =
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != os::user() {
        return Ok(None);
    }
    let Some(file) = LockedFile::lock(file)? else { return Ok(None) };
    // Its owner may have removed it before letting go of it.
    let there = file.metadata()?.nlink() > 0;
    Ok(there.then_some(file))
}
