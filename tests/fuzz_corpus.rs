//! The fuzz targets without a fuzzer: the committed corpus, then mutations of it, the same ones in every run.
//! `make fuzz` looks further.

#[path = "../fuzz/src/lib.rs"]
mod checks;

use std::fs;
use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;

/// Mutations a target: bounded by count, so that a slow machine tests the same.
const MUTATIONS: usize = 1000;
/// Longer inputs only take longer.
const MAX_LEN: usize = 600;

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }
}

/// Runs one input, and says which one it was when it fails.
fn run(target: &str, check: checks::Check, data: &[u8]) {
    if let Err(panic) = catch_unwind(|| check(data)) {
        eprintln!("{target} fails for b\"{}\"", data.escape_ascii());
        resume_unwind(panic);
    }
}

/// The entries of libFuzzer's dictionary.
fn dictionary(folder: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder.join("dictionary")).unwrap();
    let entries = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let inside = line.strip_prefix('"').and_then(|l| l.strip_suffix('"')).unwrap_or_else(|| panic!("{line}"));
        let mut out = Vec::new();
        let mut bytes = inside.bytes();
        while let Some(b) = bytes.next() {
            if b != b'\\' {
                out.push(b);
                continue;
            }
            match bytes.next() {
                Some(b'x') => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    out.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                other => out.extend(other),
            }
        }
        out
    });
    entries.collect()
}

/// The corpus of one target, in the order of its names.
fn corpus(folder: &Path, target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        fs::read_dir(folder.join("corpus").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn mutate(random: &mut Random, data: &mut Vec<u8>, others: &[Vec<u8>], words: &[Vec<u8>]) {
    let at = random.below(data.len() + 1);
    match random.below(7) {
        0 if !data.is_empty() => {
            let at = random.below(data.len());
            data[at] ^= 1 << random.below(8);
        }
        1 if !data.is_empty() => {
            let at = random.below(data.len());
            data[at] = random.below(256) as u8;
        }
        2 => data.truncate(at),
        3 => {
            let other = &others[random.below(others.len())];
            let tail = &other[random.below(other.len() + 1)..];
            data.truncate(at);
            data.extend_from_slice(tail);
        }
        4 => {
            let end = at + random.below(data.len() - at + 1).min(20);
            let piece = data[at..end].to_vec();
            let to = random.below(data.len() + 1);
            data.splice(to..to, piece);
        }
        5 => {
            let end = at + random.below(data.len() - at + 1).min(8);
            data.drain(at..end);
        }
        _ => {
            let word = &words[random.below(words.len())];
            data.splice(at..at, word.iter().copied());
        }
    }
    data.truncate(MAX_LEN);
}

#[test]
fn what_must_hold_holds_for_the_corpus_and_mutations_of_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let words = dictionary(&folder);
    for (target, check) in checks::CHECKS {
        let seeds = corpus(&folder, target);
        assert!(!seeds.is_empty(), "no corpus for {target}");
        seeds.iter().for_each(|seed| run(target, *check, seed));
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for _ in 0..MUTATIONS {
            let mut data = seeds[random.below(seeds.len())].clone();
            for _ in 0..=random.below(4) {
                mutate(&mut random, &mut data, &seeds, &words);
            }
            run(target, *check, &data);
        }
    }
}
