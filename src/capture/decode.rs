//! Content encodings: gzip and deflate, bounded in output and in ratio.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A body that grows by more than this is taken for a bomb, and described. (Deflate cannot do more than 1032; ordinary
/// JSON stays under 30.)
const MAX_RATIO: usize = 200;
/// Less than this is never a bomb.
const MIN_BOMB: usize = 256 * 1024;
const BROKEN: &str = "encoded data broken";
/// Bodies are read in such pieces.
const PIECE: usize = 16 * 1024;

/// What `Content-Encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Known(Known),
    /// Another one, or several.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Gzip,
    Deflate,
}

/// Reads the value of `Content-Encoding`.
pub(super) fn coding(value: &str) -> Coding {
    let mut found = Coding::Identity;
    for name in value.split(',').map(|n| n.trim().to_ascii_lowercase()) {
        let this = match name.as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => Coding::Known(Known::Gzip),
            "deflate" => Coding::Known(Known::Deflate),
            _ => Coding::Unknown,
        };
        found = if found == Coding::Identity { this } else { Coding::Unknown };
    }
    found
}

/// A decoded body.
#[derive(Debug)]
pub(super) struct Decoded {
    pub bytes: Vec<u8>,
    /// Only the beginning.
    pub cut: bool,
}

/// Decodes at most `limit` bytes. `cut` says that the encoded bytes are only the beginning. The error is the
/// reason for the note.
pub(super) fn decode(coding: Known, encoded: &[u8], cut: bool, limit: usize) -> Result<Decoded, &'static str> {
    match coding {
        Known::Gzip => read(MultiGzDecoder::new(encoded), |d| d.get_ref().len(), encoded.len(), cut, limit),
        // The name means the zlib format; some servers send bare deflate.
        Known::Deflate => match read(ZlibDecoder::new(encoded), |d| d.get_ref().len(), encoded.len(), cut, limit) {
            Err(BROKEN) => read(DeflateDecoder::new(encoded), |d| d.get_ref().len(), encoded.len(), cut, limit),
            other => other,
        },
    }
}

/// `left` tells how much of the encoded data is not read yet.
fn read<D: Read>(
    mut from: D,
    left: impl Fn(&D) -> usize,
    encoded: usize,
    cut: bool,
    limit: usize,
) -> Result<Decoded, &'static str> {
    let mut bytes = Vec::new();
    let mut piece = [0u8; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(Decoded { bytes, cut }),
            Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or(&[])),
            // The end is missing because it was not kept.
            Err(_) if cut && !bytes.is_empty() => return Ok(Decoded { bytes, cut: true }),
            Err(_) => return Err(BROKEN),
        }
        let used = encoded.saturating_sub(left(&from));
        if bytes.len() > MIN_BOMB && bytes.len() / MAX_RATIO > used {
            return Err("compression ratio");
        }
        if bytes.len() > limit {
            bytes.truncate(limit);
            return Ok(Decoded { bytes, cut: true });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use flate2::Compression;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn codings_are_read() {
        assert_eq!(coding(""), Coding::Identity);
        assert_eq!(coding("Identity"), Coding::Identity);
        assert_eq!(coding("GZIP"), Coding::Known(Known::Gzip));
        assert_eq!(coding("deflate, identity"), Coding::Known(Known::Deflate));
        assert_eq!(coding("br"), Coding::Unknown);
        assert_eq!(coding("gzip, gzip"), Coding::Unknown);
    }

    #[test]
    fn gzip_and_both_kinds_of_deflate_are_decoded() {
        let out = decode(Known::Gzip, &gzip(b"hello"), false, 100).unwrap();
        assert_eq!((out.bytes.as_slice(), out.cut), (&b"hello"[..], false));
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(b"hello").unwrap();
        assert_eq!(decode(Known::Deflate, &zlib.finish().unwrap(), false, 100).unwrap().bytes, b"hello");
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(b"hello").unwrap();
        assert_eq!(decode(Known::Deflate, &bare.finish().unwrap(), false, 100).unwrap().bytes, b"hello");
        let two = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(decode(Known::Gzip, &two, false, 100).unwrap().bytes, b"ab");
    }

    #[test]
    fn output_and_ratio_are_bounded() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|n| (n * 7919).to_string().into_bytes()).collect();
        let out = decode(Known::Gzip, &gzip(&text), false, 1000).unwrap();
        assert_eq!((out.bytes.len(), out.cut), (1000, true));
        assert_eq!(
            decode(Known::Gzip, &gzip(&vec![b' '; 5_000_000]), false, 10_000_000).unwrap_err(),
            "compression ratio"
        );
    }

    #[test]
    fn broken_and_cut_data_is_told_apart() {
        let encoded = gzip(&b"0123456789 some text ".repeat(50));
        assert_eq!(decode(Known::Gzip, b"plain text", false, 100).unwrap_err(), "encoded data broken");
        assert_eq!(
            decode(Known::Gzip, &encoded[..encoded.len() - 4], false, 10_000).unwrap_err(),
            "encoded data broken"
        );
        assert!(decode(Known::Gzip, &encoded[..encoded.len() - 4], true, 10_000).unwrap().cut);
    }
}
