//! Content encodings: gzip, deflate, br, zstd, and stacks of them, bounded in output, in ratio and in memory.
//!
//! A stack is a pipe: each decoder reads what the one before it makes, piece by piece. Held are the decoded bytes (at
//! most the limit), a piece per stage, and each decoder's window (deflate 32 KiB, zstd 8 MiB, br 16 MiB at most).

use std::cell::Cell;
use std::io::{self, BufRead, Cursor, Read};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::rc::Rc;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A body that grows by more than this is taken for a bomb, and described: over the whole stack and in each stage of it.
/// (Deflate cannot do more than 1032; ordinary JSON stays under 30.)
const MAX_RATIO: usize = 200;
/// Less than this is never a bomb.
const MIN_BOMB: usize = 256 * 1024;
/// What is still encoded hardly shrinks by another coding. Where it does, a small body would make the next decoder work
/// for a large one.
const MAX_INNER_RATIO: usize = 4;
/// Less than this may shrink as it likes.
const MIN_INNER: usize = 64 * 1024;
/// More codings than this on one body are nobody's honest doing.
const MAX_STACK: usize = 4;
/// What browsers allow zstd's window to be: a header may ask for terabytes.
const MAX_WINDOW: u64 = 8 * 1024 * 1024;
/// Each member of gzip costs a new state of 40 KiB: a few kilobytes of empty ones, packed twice, would cost half a second.
const MAX_MEMBERS: usize = 1000;
/// The largest block that zstd knows.
const MAX_BLOCK: usize = 128 * 1024;
const BROKEN: &str = "encoded data broken";
/// Bodies are read in such pieces.
const PIECE: usize = 16 * 1024;

/// What `Content-Encoding` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// None.
    Identity,
    /// These, in the order in which they were applied.
    Known(Vec<Known>),
    /// One that is not known, or too many.
    Unknown,
}

/// A coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// `gzip`, also in several members.
    Gzip,
    /// `deflate`, in the zlib format or bare.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`, also in several frames.
    Zstd,
}

/// Reads the value of `Content-Encoding`.
pub(super) fn coding(value: &str) -> Coding {
    let mut stack = Vec::new();
    for name in value.split(',').map(str::trim) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let known = match name {
            _ if name.is_empty() || is("identity") => continue,
            _ if is("gzip") || is("x-gzip") => Known::Gzip,
            _ if is("deflate") => Known::Deflate,
            _ if is("br") => Known::Brotli,
            _ if is("zstd") => Known::Zstd,
            _ => return Coding::Unknown,
        };
        if stack.len() == MAX_STACK {
            return Coding::Unknown;
        }
        stack.push(known);
    }
    if stack.is_empty() {
        Coding::Identity
    } else {
        Coding::Known(stack)
    }
}

/// A decoded body.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The bytes, at most as many as the limit.
    pub bytes: Vec<u8>,
    /// Only the beginning.
    pub cut: bool,
}

/// Undoes the codings from the last to the first, up to `limit` bytes. `cut` says that the encoded bytes are only the
/// beginning. The error is the reason for the note.
///
/// Not part of its caller: the decoders' tables stand on the stack for a moment, which a host's small thread must have room for
/// only when there is something to decode.
#[inline(never)]
pub(super) fn decode(stack: &[Known], encoded: &[u8], cut: bool, limit: usize) -> Result<Decoded, &'static str> {
    // A stranger's bytes may find a fault in a decoder: that is broken data, and nothing to stop the host for.
    catch_unwind(AssertUnwindSafe(|| undo(stack, encoded, cut, limit))).unwrap_or(Err(BROKEN))
}

fn undo(stack: &[Known], encoded: &[u8], cut: bool, limit: usize) -> Result<Decoded, &'static str> {
    let seen = Seen::default();
    let mut bytes = Vec::new();
    let end = pipe(stack, encoded, limit, &seen).and_then(|mut source| loop {
        let piece = source.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        bytes.extend_from_slice(piece);
        let count = piece.len();
        source.consume(count);
    });
    let cut = cut || seen.limited.get();
    match end {
        _ if seen.bomb.get() => Err("compression ratio"),
        Ok(()) => Ok(Decoded { bytes, cut }),
        // The end is missing because it was not kept.
        Err(_) if cut && !bytes.is_empty() => Ok(Decoded { bytes, cut }),
        Err(_) => Err(BROKEN),
    }
}

/// What the stages of a stack tell about themselves, besides their bytes.
#[derive(Default)]
struct Seen {
    /// One grew too much.
    bomb: Cell<bool>,
    /// One was stopped at the limit.
    limited: Cell<bool>,
}

/// The stages, each reading from the one before.
fn pipe<'a>(stack: &[Known], encoded: &'a [u8], limit: usize, seen: &'a Seen) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut source: Box<dyn BufRead + 'a> = Box::new(encoded);
    let mut arrived = None;
    for (left, known) in (0..stack.len()).rev().zip(stack.iter().rev()) {
        let used = Rc::new(Cell::new(0));
        let input = Counted { source, count: Rc::clone(&used) };
        let arrived = Rc::clone(arrived.get_or_insert_with(|| Rc::clone(&used)));
        let decoder: Box<dyn Read + 'a> = match known {
            Known::Gzip => Box::new(Gzip { member: Some(GzDecoder::new(input)), left: MAX_MEMBERS - 1 }),
            Known::Deflate => deflate(input)?,
            Known::Brotli => Box::new(Brotli::new(input)),
            Known::Zstd => Box::new(Zstd::new(input)),
        };
        let (free, ratio) = if left == 0 { (MIN_BOMB, MAX_RATIO) } else { (MIN_INNER, MAX_INNER_RATIO) };
        let piece = vec![0; PIECE];
        source = Box::new(Stage { decoder, used, arrived, made: 0, limit, free, ratio, seen, piece, at: 0, end: 0 });
    }
    Ok(source)
}

/// Counts what is taken.
struct Counted<R> {
    source: R,
    count: Rc<Cell<usize>>,
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count.set(self.count.get() + amount);
        self.source.consume(amount);
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, out)
    }
}

fn read_buffered(source: &mut impl BufRead, out: &mut [u8]) -> io::Result<usize> {
    let count = source.fill_buf()?.read(out)?;
    source.consume(count);
    Ok(count)
}

/// One decoder and its bounds.
struct Stage<'a> {
    decoder: Box<dyn Read + 'a>,
    /// What the decoder took of its own input.
    used: Rc<Cell<usize>>,
    /// What the first stage took of the body.
    arrived: Rc<Cell<usize>>,
    made: usize,
    limit: usize,
    free: usize,
    ratio: usize,
    seen: &'a Seen,
    piece: Vec<u8>,
    at: usize,
    end: usize,
}

impl BufRead for Stage<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end && self.made <= self.limit {
            let count = self.decoder.read(&mut self.piece)?;
            self.made += count;
            // Padding that decodes to nothing must not buy room in the next stage, nor the other way round.
            if self.made > self.free && self.made / self.ratio > self.used.get().min(self.arrived.get()) {
                self.seen.bomb.set(true);
                return Err(broken());
            }
            let over = self.made.saturating_sub(self.limit);
            if over > 0 {
                self.seen.limited.set(true);
            }
            (self.at, self.end) = (0, count.saturating_sub(over));
        }
        Ok(self.piece.get(self.at..self.end).unwrap_or(&[]))
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.end.min(self.at + amount);
    }
}

impl Read for Stage<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, out)
    }
}

struct Gzip<R> {
    /// `None` after the last.
    member: Option<GzDecoder<R>>,
    left: usize,
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let count = member.read(out)?;
            if count > 0 {
                self.member = Some(member);
                return Ok(count);
            }
            let mut source = member.into_inner();
            if !source.fill_buf()?.is_empty() {
                self.left = self.left.checked_sub(1).ok_or_else(broken)?;
                self.member = Some(GzDecoder::new(source));
            }
        }
        Ok(0)
    }
}

/// The name means the zlib format; some servers send bare deflate. The two begin differently.
fn deflate<'a>(mut source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    source.by_ref().take(2).read_to_end(&mut head)?;
    let zlib = matches!(*head, [cmf, flags] if cmf & 0x0F == 8 && u16::from_be_bytes([cmf, flags]) % 31 == 0);
    let whole = Cursor::new(head).chain(source);
    Ok(if zlib { Box::new(ZlibDecoder::new(whole)) } else { Box::new(DeflateDecoder::new(whole)) })
}

fn broken() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

struct Brotli<R> {
    source: R,
    // Some 2 KiB, too much to move about.
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    result: BrotliResult,
}

impl<R: BufRead> Brotli<R> {
    fn new(source: R) -> Self {
        let alloc = StandardAlloc::default;
        // Strict: without the large windows of up to 1 GiB, which no browser takes.
        let state = Box::new(BrotliState::new_strict(alloc(), alloc(), alloc()));
        Brotli { source, state, result: BrotliResult::NeedsMoreInput }
    }
}

impl<R: BufRead> Read for Brotli<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.source.fill_buf()?;
            match self.result {
                BrotliResult::ResultFailure => return Err(broken()),
                BrotliResult::ResultSuccess => return if input.is_empty() { Ok(0) } else { Err(broken()) },
                BrotliResult::NeedsMoreInput if input.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
            // In small portions: at the end of each the decoder hands out what it has, and the ratio is looked at.
            let input = input.get(..PIECE / 8).unwrap_or(input);
            let (mut left, mut taken, mut room, mut made) = (input.len(), 0, out.len(), 0);
            self.result = BrotliDecompressStream(
                &mut left,
                &mut taken,
                input,
                &mut room,
                &mut made,
                out,
                &mut 0,
                &mut self.state,
            );
            self.source.consume(taken);
            if made > 0 {
                return Ok(made);
            }
        }
    }
}

struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    at: InZstd,
    block: Vec<u8>,
}

/// How far the reader of frames is.
#[derive(Clone, Copy)]
enum InZstd {
    /// Before the first frame.
    Start,
    /// After a frame.
    Between,
    /// In a frame.
    Frame,
    /// After the data broke off in a frame.
    Torn,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Zstd { source, decoder, at: InZstd::Start, block: Vec::new() }
    }

    /// Begins a frame, or skips one that holds no data.
    fn frame(&mut self) -> io::Result<InZstd> {
        match self.decoder.reset(&mut self.source) {
            Ok(()) => Ok(InZstd::Frame),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let length = u64::from(length);
                let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
                if skipped == length {
                    Ok(InZstd::Between)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                }
            }
            Err(_) => Err(broken()),
        }
    }

    /// Decodes the next block; only when all of it is there.
    fn block(&mut self) -> io::Result<InZstd> {
        self.block.clear();
        self.source.by_ref().take(3).read_to_end(&mut self.block)?;
        let [a, b, c] = *self.block.as_slice() else { return Ok(self.torn()) };
        let size = (usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16) >> 3;
        // One byte stands for a block that repeats it.
        let length = if a >> 1 & 3 == 1 { 1 } else { size };
        if length > MAX_BLOCK {
            return Err(broken());
        }
        self.source.by_ref().take(length as u64).read_to_end(&mut self.block)?;
        if self.block.len() < 3 + length {
            return Ok(self.torn());
        }
        let block = self.block.as_slice().chain(&mut self.source);
        match self.decoder.decode_blocks(block, BlockDecodingStrategy::UptoBlocks(1)) {
            Ok(_) => Ok(InZstd::Frame),
            Err(FrameDecoderError::FailedToReadChecksum(_)) => Ok(self.torn()),
            Err(_) => Err(broken()),
        }
    }

    /// The decoder keeps back a window's worth until a frame ends: an empty last block (and a checksum, if one is due,
    /// which is not compared) makes it hand out what it has.
    fn torn(&mut self) -> InZstd {
        let end = [1, 0, 0, 0, 0, 0, 0];
        // An error means that there is nothing more.
        let _ = self.decoder.decode_blocks(end.as_slice(), BlockDecodingStrategy::UptoBlocks(1));
        InZstd::Torn
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            self.at = match self.at {
                InZstd::Between if self.source.fill_buf()?.is_empty() => return Ok(0),
                InZstd::Start | InZstd::Between => self.frame()?,
                InZstd::Frame | InZstd::Torn => {
                    let count = self.decoder.read(out)?;
                    if count > 0 {
                        return Ok(count);
                    }
                    match self.at {
                        InZstd::Torn => return Err(io::ErrorKind::UnexpectedEof.into()),
                        _ if self.decoder.is_finished() => InZstd::Between,
                        _ => self.block()?,
                    }
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::tests::encode;
    use Known::{Brotli, Deflate, Gzip, Zstd};

    const ALL: [Known; 4] = [Gzip, Deflate, Brotli, Zstd];

    const ZSTD_19: &[u8] =
    b"(\xB5/\xFD$Cm\x01\x00d\x02{\x22password\x22:\x22hunter2\x22,\x22list\x22:[1,2,3,]}\x01\x00\xCC]\x9E\x19\xA8~P";
    const ZSTD_1: &[u8] =
        b"(\xB5/\xFD\x00Hm\x01\x00d\x02{\x22password\x22:\x22hunter2\x22,\x22list\x22:[1,2,3,]}\x01\x00\xCC]\x9E";

    fn numbers() -> Vec<u8> {
        (0..40_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect()
    }

    #[test]
    fn codings_are_read() {
        assert_eq!(coding(""), Coding::Identity);
        assert_eq!(coding("Identity"), Coding::Identity);
        assert_eq!(coding("X-GZIP"), Coding::Known(vec![Gzip]));
        assert_eq!(coding("deflate, identity"), Coding::Known(vec![Deflate]));
        assert_eq!(coding("gzip,br , zstd,gzip"), Coding::Known(vec![Gzip, Brotli, Zstd, Gzip]));
        assert_eq!(coding("gzip,gzip,gzip,gzip,gzip"), Coding::Unknown);
        for other in ["compress", "gzip, compress", "dcb", "aes128gcm", "br2"] {
            assert_eq!(coding(other), Coding::Unknown, "{other}");
        }
    }

    #[test]
    fn every_coding_and_stack_is_undone() {
        for data in [&b"hello"[..], b"", &numbers()[..50_000]] {
            for a in ALL {
                let once = encode(&[a], data);
                let out = decode(&[a], &once, false, 1_000_000).unwrap();
                assert_eq!((out.bytes.as_slice(), out.cut), (data, false), "{a:?}");
                for b in ALL {
                    let out = decode(&[a, b], &encode(&[b], &once), false, 1_000_000).unwrap();
                    assert_eq!((out.bytes.as_slice(), out.cut), (data, false), "{a:?} {b:?}");
                }
            }
            let out = decode(&ALL, &encode(&ALL, data), false, 1_000_000).unwrap();
            assert_eq!((out.bytes.as_slice(), out.cut), (data, false));
        }
    }

    #[test]
    fn bare_deflate_and_several_members_or_frames_are_decoded() {
        let mut bare = flate2::bufread::DeflateEncoder::new(&b"hello"[..], flate2::Compression::default());
        let mut encoded = Vec::new();
        bare.read_to_end(&mut encoded).unwrap();
        assert_eq!(decode(&[Deflate], &encoded, false, 100).unwrap().bytes, b"hello");
        let two = [encode(&[Gzip], b"a"), encode(&[Gzip], b"b")].concat();
        assert_eq!(decode(&[Gzip], &two, false, 100).unwrap().bytes, b"ab");
        let many = encode(&[Gzip], b"a").repeat(MAX_MEMBERS);
        assert_eq!(decode(&[Gzip], &many, false, 10_000).unwrap().bytes.len(), MAX_MEMBERS);
        assert_eq!(decode(&[Gzip], &many.repeat(2), false, 10_000).unwrap_err(), BROKEN);
        let skipped = [&[0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let frames = [&skipped[..], &encode(&[Zstd], b"a"), &skipped, &encode(&[Zstd], b"b"), &skipped].concat();
        assert_eq!(decode(&[Zstd], &frames, false, 100).unwrap().bytes, b"ab");
        assert_eq!(decode(&[Zstd], &frames[..frames.len() - 1], false, 100).unwrap_err(), BROKEN);
    }

    #[test]
    fn zstd_of_the_reference_encoder_is_decoded() {
        // `printf … | zstd -19` and `zstd -1 --no-check`, the second from a pipe.
        let text = b"{\"password\":\"hunter2\",\"list\":[1,2,3,1,2,3,1,2,3,1,2,3,1,2,3,1,2,3]}";
        assert_eq!(decode(&[Zstd], ZSTD_19, false, 1000).unwrap().bytes, text);
        assert_eq!(decode(&[Zstd], ZSTD_1, false, 1000).unwrap().bytes, text);
    }

    #[test]
    fn output_is_bounded() {
        let text = numbers();
        for a in ALL {
            let once = encode(&[a], &text);
            for limit in [0, 1, 1000, PIECE, text.len() - 1] {
                let out = decode(&[a], &once, false, limit).unwrap();
                assert_eq!((out.bytes.as_slice(), out.cut), (&text[..limit], true), "{a:?}");
            }
            assert!(!decode(&[a], &once, false, text.len()).unwrap().cut);
            // A stage that is stopped at the limit leaves the next one with a beginning.
            let limit = once.len() / 2;
            let out = decode(&[a, Gzip], &encode(&[Gzip], &once), false, limit);
            assert!(out.is_ok_and(|out| out.cut && out.bytes.len() <= limit && text.starts_with(&out.bytes)), "{a:?}");
        }
    }

    #[test]
    fn bombs_are_told_by_their_ratio() {
        let result =
            |stack: &[Known], encoded: &[u8], limit| decode(stack, encoded, false, limit).map(|out| out.bytes.len());
        let bomb = Err("compression ratio");
        let blanks = vec![b' '; 5_000_000];
        for a in ALL {
            let once = encode(&[a], &blanks);
            assert_eq!(result(&[a], &once, 1_000_000), bomb, "{a:?}");
            for b in ALL {
                let twice = encode(&[b], &once);
                assert_eq!(result(&[a, b], &twice, 1_000_000), bomb, "{a:?} {b:?}");
            }
        }
        // Each stage grows by less than the bound, both together by more.
        let line = [&b"0123456789abcdefghijklmnopqrstuvwxyz"[..], &[b'a'; 4000]].concat();
        let twice = encode(&[Gzip], &line).repeat(120);
        let plain = decode(&[Gzip], &twice, false, 10_000_000).unwrap().bytes.len();
        let encoded = encode(&[Gzip], &twice);
        assert!(plain > MIN_BOMB && plain / encoded.len() > MAX_RATIO);
        assert!(plain / twice.len() < MAX_RATIO && twice.len() / encoded.len() < MAX_RATIO);
        assert_eq!(result(&[Gzip, Gzip], &encoded, 10_000_000), bomb);
        // Neither does a little of one make much of another, that in the end is little again.
        let frames = encode(&[Zstd], b"x").repeat(20_000);
        assert_eq!(result(&[Zstd], &frames, 1_000_000), Ok(20_000));
        assert_eq!(result(&[Zstd, Gzip], &encode(&[Gzip], &frames), 1_000_000), bomb);
        // Nor does padding that decodes to nothing buy a bomb its room.
        let padding = [&[0x50, 0x2A, 0x4D, 0x18][..], &100_000u32.to_le_bytes(), &vec![7; 100_000]].concat();
        let padded = [encode(&[Gzip], &blanks), padding].concat();
        assert!(decode(&[Gzip], &padded, false, 10_000_000).is_err());
        let padded = [&encode(&[Gzip], b"")[..], &encode(&[Gzip], &encode(&[Gzip], &blanks))].concat();
        assert_eq!(result(&[Gzip, Gzip], &padded, 10_000_000), bomb);
    }

    #[test]
    fn broken_and_cut_data_is_told_apart() {
        let text = numbers();
        for a in ALL {
            let encoded = encode(&[a], &text);
            assert_eq!(decode(&[a], b"plain text", false, 100).unwrap_err(), BROKEN, "{a:?}");
            for length in [0, 1, 5, encoded.len() / 2, encoded.len() - 1] {
                let kept = &encoded[..length];
                assert_eq!(decode(&[a], kept, false, 1_000_000).unwrap_err(), BROKEN, "{a:?} {length}");
                if length > 5 {
                    let out = decode(&[a], kept, true, 1_000_000).unwrap();
                    assert!(out.cut && text.starts_with(&out.bytes), "{a:?} {length}");
                    assert!(out.bytes.len() > text.len() / 4, "{a:?} {length} {}", out.bytes.len());
                }
            }
            let trailing = [&encoded[..], b"garbage"].concat();
            assert!(a == Deflate || decode(&[a], &trailing, false, 1_000_000).is_err(), "{a:?}");
        }
    }

    #[test]
    fn no_damage_to_any_byte_is_more_than_broken_data() {
        let text = b"{\"password\":\"hunter2\",\"list\":[1,2,3,1,2,3,1,2,3]}".repeat(3);
        for a in ALL {
            let encoded = encode(&[a], &text);
            for at in 0..encoded.len() {
                for flip in [0x01, 0x10, 0x80, 0xFF] {
                    let mut damaged = encoded.clone();
                    damaged[at] ^= flip;
                    for cut in [false, true] {
                        assert!(decode(&[a], &damaged, cut, 10_000).map_or(true, |out| out.bytes.len() <= 10_000));
                    }
                }
            }
        }
    }

    #[test]
    fn huge_windows_are_refused() {
        // 8 MiB is the most (an exponent of 13), the next step is too much; the data is one empty block.
        let frame = |window: u8| [0x28, 0xB5, 0x2F, 0xFD, 0, window, 1, 0, 0];
        assert!(decode(&[Zstd], &frame(13 << 3), false, 100).is_ok());
        for window in [13 << 3 | 1, 14 << 3, 0xFF] {
            assert_eq!(decode(&[Zstd], &frame(window), false, 100).unwrap_err(), BROKEN);
        }
        // A content of 1 TiB in one segment.
        let single = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0];
        assert_eq!(decode(&[Zstd], &single, false, 100).unwrap_err(), BROKEN);
        // Brotli's large window of 1 GiB.
        assert_eq!(decode(&[Brotli], &[0x11, 0x1E, 0x03], false, 100).unwrap_err(), BROKEN);
    }
}
