//! Systems without flock and modes of files have no spool.

use std::io;
use std::sync::Arc;

use crate::config::Config;
use crate::pipeline::Queue;
use crate::status::{Error, Result, MPR_ERR_IO};

/// The directory that was configured.
#[derive(Clone)]
pub struct Dir(String);

impl Dir {
    /// As configured.
    pub fn new(config: &Config) -> Option<Self> {
        config.spool_dir.as_ref().map(|path| Self(path.display().to_string()))
    }

    /// It cannot be used.
    ///
    /// # Errors
    /// Always.
    pub fn check(&self) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "there is no spool on this system"))
    }

    /// Nothing is there.
    pub fn has_left(&self) -> bool {
        false
    }

    /// How it is called.
    pub fn name(&self) -> String {
        self.0.clone()
    }
}

/// Does not start.
///
/// # Errors
/// Always.
pub fn start(dir: Dir, _: Arc<Queue>) -> Result<()> {
    dir.check().map_err(|e| Error::new(MPR_ERR_IO, e.to_string()))
}
