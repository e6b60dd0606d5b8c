//! Masking beside its peers, in one run. `make bench-mask`.
//!
//! Every contestant masks the same bodies (benches/corpus.py), one thread, warm, text in memory to text in memory. Their
//! rounds take turns, so that a noisy machine is noisy for all of them; processor time is counted, and the table shows
//! medians and their ratios.
//! Peers in other languages measure themselves (benches/peer.py, benches/peer.js) when they are told to.
//! Before anything is measured, what the library makes of each body is compared with what was expected of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use std::{env, fs};

use mpr::abi::{capture::mpr_mask, lifecycle::mpr_init, options};
use mpr::capture::{capture, CaptureConfig, Kind};
use mpr::mask::{mask_body, Rules, PLACEHOLDER};
use serde_json::Value;

/// A contestant's share of one round: long against the clock, short against what else the machine does.
const SLICE: Duration = Duration::from_millis(10);
const ROUNDS: usize = 21;

// ---- allocations

/// The system's allocator, which counts while it is told to. (Counting all the time would cost those who allocate most.)
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn count() {
    if COUNTS.load(Relaxed) {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

// SAFETY: hands everything to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// ---- the corpus

struct Row {
    name: String,
    folder: String,
    content_type: String,
    bodies: Vec<Vec<u8>>,
    expected: Vec<String>,
    bytes: usize,
    masked: u64,
}

fn read_corpus(folder: &Path) -> (Vec<Row>, HashSet<String>) {
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = manifest["rows"].as_array().unwrap().iter().map(|row| {
        let path = folder.join(row["folder"].as_str().unwrap());
        let files = row["files"].as_u64().unwrap();
        let bodies: Vec<_> = (0..files).map(|i| fs::read(path.join(format!("{i:02}.in"))).unwrap()).collect();
        Row {
            name: text(&row["name"]),
            folder: path.to_str().unwrap().to_owned(),
            content_type: text(&row["content_type"]),
            expected: (0..files).map(|i| fs::read_to_string(path.join(format!("{i:02}.masked"))).unwrap()).collect(),
            bytes: bodies.iter().map(Vec::len).sum(),
            bodies,
            masked: row["masked"].as_u64().unwrap(),
        }
    });
    let names = manifest["sensitive"].as_array().unwrap().iter().map(|name| text(name).to_lowercase());
    (rows.collect(), names.collect())
}

// ---- contestants

/// The straightforward masker: a document tree, walked.
fn tree_walk(names: &HashSet<String>, body: &[u8]) -> Option<String> {
    fn walk(names: &HashSet<String>, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    if names.contains(&key.to_lowercase()) {
                        *value = Value::String(PLACEHOLDER.to_owned());
                    } else {
                        walk(names, value);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| walk(names, item)),
            _ => {}
        }
    }
    let mut value = serde_json::from_slice(body).ok()?;
    walk(names, &mut value);
    serde_json::to_string(&value).ok()
}

/// `mpr_mask()` as a C program calls it: with the rules of `mpr_init()`, into a buffer of its own.
fn through_the_abi(content_type: &std::ffi::CStr, body: &[u8], out: &mut [u8]) -> usize {
    let mut needed = 0;
    // SAFETY: pointers with their lengths, alive during the call.
    let status = unsafe {
        mpr_mask(content_type.as_ptr(), body.as_ptr(), body.len(), out.as_mut_ptr(), out.len(), &raw mut needed)
    };
    assert_eq!(status, 0);
    needed
}

/// A recorder whose receiver is a port that nobody listens on; nothing is recorded.
fn init() {
    // SAFETY: a handle of its own, NUL-terminated texts.
    unsafe {
        let settings = options::mpr_options_new();
        options::mpr_options_set_api_key(settings, c"bench".as_ptr());
        options::mpr_options_set_api_base_url(settings, c"http://127.0.0.1:9".as_ptr());
        assert_eq!(mpr_init(settings), 0);
    }
}

/// A program in another language that masks and measures when told to.
struct Peer {
    contestants: HashSet<String>,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    child: Child,
}

impl Peer {
    /// What cannot take part is told to `absent`.
    fn start(language: &str, mut command: Command, absent: &mut Vec<String>) -> Option<Peer> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|e| absent.push(format!("{language}: does not start ({e})"))).ok()?;
        let (input, output) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut peer = Peer { contestants: HashSet::new(), input, output, child };
        loop {
            let line = peer.line();
            match line.split_once(' ') {
                Some(("ready", name)) => drop(peer.contestants.insert(name.to_owned())),
                Some(("absent", why)) => absent.push(format!("{language}: {why}")),
                _ => return Some(peer),
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, words: &[&str]) -> String {
        writeln!(self.input, "{}", words.join("\t")).unwrap();
        self.line()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nanoseconds of processor time that this process has had. Nobody here waits for anything, so that this is what masking
/// takes, and a machine that does other things beside it does not add to it.
fn cpu_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the struct.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// One column: how it is run, `calls` times over all bodies of a row. Gives nanoseconds a time.
type Run<'a> = Box<dyn FnMut(&Row, usize) -> f64 + 'a>;

fn native<'a>(mut mask: impl FnMut(&Row, &[u8]) + 'a) -> Run<'a> {
    Box::new(move |row, calls| {
        let mut pass = |row: &Row| row.bodies.iter().for_each(|body| mask(row, black_box(body)));
        pass(row);
        let begin = cpu_time();
        (0..calls).for_each(|_| pass(row));
        (cpu_time() - begin) / calls as f64
    })
}

// ---- figures

fn median(rounds: &[f64]) -> f64 {
    quantile(rounds, 0.5)
}

fn quantile(rounds: &[f64], part: f64) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

fn allocations(mut work: impl FnMut()) -> u64 {
    work();
    ALLOCATIONS.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    work();
    COUNTS.store(false, Relaxed);
    ALLOCATIONS.load(Relaxed)
}

fn digits(value: f64) -> String {
    if value < 0.1 {
        format!("{value:.4}")
    } else if value < 10.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// The library's own output, byte for byte, before it is worth measuring.
fn check_ours(rules: &Rules, row: &Row) {
    let mut fields = 0;
    for (i, (body, expected)) in row.bodies.iter().zip(&row.expected).enumerate() {
        let out = mask_body(rules, Some(&row.content_type), body);
        if out.text != *expected {
            let at = out.text.bytes().zip(expected.bytes()).take_while(|(a, b)| a == b).count();
            let near = |text: &str| {
                String::from_utf8_lossy(&text.as_bytes()[at.saturating_sub(60)..]).chars().take(160).collect::<String>()
            };
            panic!("{} {i}: not what was expected at byte {at}:\n{}\n{}", row.name, near(&out.text), near(expected));
        }
        fields += u64::from(out.fields_masked);
    }
    assert_eq!(fields, row.masked, "{}: fields_masked", row.name);
}

fn main() {
    let Some(folder) = env::args().skip(1).find(|arg| !arg.starts_with('-')).map(PathBuf::from) else {
        eprintln!("usage: masking FOLDER, which holds the corpus and the peers; `make bench-mask` makes it");
        std::process::exit(2);
    };
    let (rows, names) = read_corpus(&folder.join("corpus"));
    let rules = Rules::default();
    rows.iter().for_each(|row| check_ours(&rules, row));
    init();

    let mut absent = Vec::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let library = env::current_exe().unwrap().with_file_name("libmpr.so");
    let venv = folder.join("venv/bin/python");
    let mut python = Command::new(if venv.exists() { venv.as_os_str() } else { "python3".as_ref() });
    python.arg(here.join("peer.py")).env("MPR_LIBRARY", library);
    let mut node = Command::new("node");
    node.arg(here.join("peer.js")).arg(folder.join("node"));
    let python = Peer::start("Python", python, &mut absent).map(std::cell::RefCell::new);
    let node = Peer::start("Node", node, &mut absent).map(std::cell::RefCell::new);

    let largest = rows.iter().flat_map(|row| &row.bodies).map(Vec::len).max().unwrap_or(0);
    let mut copy = vec![0u8; largest];
    let mut buffer = vec![0u8; largest * 2];
    let mut columns: Vec<(&str, Run<'_>)> = vec![
        ("libmpr", native(|row, body| drop(black_box(mask_body(&rules, Some(&row.content_type), body))))),
        (
            "through C",
            native(|row, body| {
                let content_type = match row.content_type.as_str() {
                    "application/json" => c"application/json",
                    "text/plain" => c"text/plain",
                    _ => c"application/x-www-form-urlencoded",
                };
                black_box(through_the_abi(content_type, body, &mut buffer));
            }),
        ),
        (
            "memcpy",
            native(|_, body| {
                copy[..body.len()].copy_from_slice(body);
                black_box(&mut copy);
            }),
        ),
        ("serde_json", native(|_, body| drop(black_box(tree_walk(&names, body))))),
    ];
    for (title, contestant, peer) in [
        ("libmpr from Python", "libmpr", &python),
        ("Python peer", "peer", &python),
        ("Python json", "json", &python),
        ("Node peer", "peer", &node),
        ("Node JSON", "json", &node),
    ] {
        columns.push((
            title,
            Box::new(move |row, calls| {
                let Some(peer) = peer.as_ref().filter(|p| p.borrow().contestants.contains(contestant)) else {
                    return f64::NAN;
                };
                peer.borrow_mut()
                    .ask(&[contestant, &row.folder, &row.content_type, &calls.to_string()])
                    .parse()
                    .unwrap()
            }),
        ));
    }

    // Who does the work at all: the others' output must have the same number of placeholders; nothing but JSON is
    // masked by anybody else.
    let mut remarks = Vec::new();
    let mut taking_part = vec![vec![true; columns.len()]; rows.len()];
    for (row, part) in rows.iter().zip(&mut taking_part) {
        let is_json = row.content_type == "application/json";
        let count = |text: String| text.matches(PLACEHOLDER).count() as u64;
        for ((title, _), part) in columns.iter().zip(part) {
            let (contestant, peer) = match *title {
                "serde_json" => {
                    let out: Option<Vec<String>> = row.bodies.iter().map(|body| tree_walk(&names, body)).collect();
                    *part = is_json && out.is_some_and(|out| count(out.concat()) == row.masked);
                    if is_json && !*part {
                        remarks.push(format!("serde_json refuses “{}” (its limit is 128 levels)", row.name));
                    }
                    continue;
                }
                "libmpr from Python" => ("libmpr", &python),
                "Python peer" => ("peer", &python),
                "Node peer" => ("peer", &node),
                "Python json" | "Node JSON" => {
                    *part = is_json;
                    continue;
                }
                _ => continue,
            };
            let Some(peer) = peer.as_ref().filter(|p| p.borrow().contestants.contains(contestant)) else { continue };
            let found = peer.borrow_mut().ask(&[contestant, &row.folder, &row.content_type, "0"]);
            if found != row.masked.to_string() {
                *part = false;
                remarks.push(format!("{title} masks {found} of {} values in “{}”", row.masked, row.name));
            }
        }
    }

    let mut rounds = vec![vec![Vec::new(); columns.len()]; rows.len()];
    let mut calls = vec![vec![0usize; columns.len()]; rows.len()];
    for round in 0..=ROUNDS {
        for (r, row) in rows.iter().enumerate() {
            for (c, (_, run)) in columns.iter_mut().enumerate() {
                if !taking_part[r][c] {
                    continue;
                }
                if round == 0 {
                    // Warms up, and tells how many calls fill a slice.
                    let mut once = run(row, 1);
                    once = once.min(run(row, 3));
                    if once.is_nan() {
                        taking_part[r][c] = false;
                        continue;
                    }
                    calls[r][c] = (SLICE.as_nanos() as f64 / once).ceil().max(1.0) as usize;
                } else {
                    rounds[r][c].push(run(row, calls[r][c]));
                }
            }
        }
    }

    let speed = |r: usize, c: usize| {
        let taken: &[f64] = &rounds[r][c];
        (!taken.is_empty()).then(|| rows[r].bytes as f64 * 1e3 / median(taken))
    };
    let shown = |value: Option<f64>| value.map_or("–".to_owned(), digits);
    let mut table = String::from("| body | to mask | µs a body | allocations |");
    columns.iter().for_each(|(title, _)| write!(table, " {title} |").unwrap());
    let beside = ["memcpy", "serde_json", "Python peer", "Node peer"];
    beside.iter().for_each(|title| write!(table, " ÷ {title} |").unwrap());
    write!(table, "\n|---|{}\n", "--:|".repeat(3 + columns.len() + beside.len())).unwrap();
    for (r, row) in rows.iter().enumerate() {
        let files = row.bodies.len() as f64;
        let count = allocations(|| row.bodies.iter().for_each(|b| drop(mask_body(&rules, Some(&row.content_type), b))));
        let (each, count) = (median(&rounds[r][0]) / 1e3 / files, count as f64 / files);
        write!(table, "| {} | {} | {} | {} |", row.name, row.masked, digits(each), digits(count)).unwrap();
        (0..columns.len()).for_each(|c| write!(table, " {} |", shown(speed(r, c))).unwrap());
        for title in beside {
            let other = columns.iter().position(|(t, _)| *t == title).and_then(|c| speed(r, c));
            write!(table, " {} |", shown(other.and_then(|other| Some(speed(r, 0)? / other)))).unwrap();
        }
        table.push('\n');
    }
    capture_rows(&rows, columns.len() + beside.len(), &mut table);

    let mut spread: Vec<f64> = Vec::new();
    for taken in rounds.iter().flatten().filter(|taken| !taken.is_empty()) {
        spread.push((quantile(taken, 0.75) - quantile(taken, 0.25)) / median(taken) * 100.0);
    }
    println!("Masking, one thread, warm: MB/s of input (10^6 bytes) by processor time (Node: with its helpers), medians of {ROUNDS} rounds that take turns; ÷ is libmpr's speed over theirs.");
    println!("libmpr is mask::mask_body in Rust, “through C” mpr_mask() into the caller's buffer; “from Python” that by ctypes, bytes to str.");
    println!("\n{table}");
    println!(
        "Half of the rounds lie within {:.0} % of the median's value (typical cell), {:.0} % (worst cell).",
        median(&spread),
        quantile(&spread, 1.0)
    );
    remarks.iter().chain(&absent).for_each(|remark| println!("- {remark}"));
}

/// A captured payload on top of its masking: eight headers and a body to finished attributes.
fn capture_rows(rows: &[Row], empty: usize, table: &mut String) {
    let config = CaptureConfig::default();
    let headers = [
        ("Host", "shop.example"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer abcdefghijklmnopqrstuvwxyz012345"),
        ("Cookie", "sid=0123456789abcdef; theme=dark"),
        ("X-Request-Id", "4f1f4f9e-6a0f-4d8e-9a51-3d2f0e6b7c11"),
    ];
    for row in rows.iter().filter(|row| row.name.ends_with("compact")).take(2) {
        let pass = || {
            for body in &row.bodies {
                let mut emit = |key: &str, value: &str| {
                    black_box((key, value));
                };
                black_box(capture(&config, Kind::HttpRequest, &headers, black_box(body), &mut emit));
            }
        };
        let rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begin = cpu_time();
                (0..100).for_each(|_| pass());
                (cpu_time() - begin) / 100.0 / row.bodies.len() as f64
            })
            .collect();
        let count = allocations(pass) as f64 / row.bodies.len() as f64;
        let size = row.name.trim_end_matches(", compact");
        write!(table, "| capture() of {size}, 8 headers | | {} | {} |", digits(median(&rounds) / 1e3), digits(count))
            .unwrap();
        table.push_str(&" |".repeat(empty));
        table.push('\n');
    }
}
