//! include/mpr.h is generated from src/abi: this fails when the two differ. `MPR_BLESS=1 cargo test --test header`
//! (`make header`) writes it.

use std::path::Path;

/// In the order in which a person reads a manual, each with the heading of its functions.
const SOURCES: &[(&str, &str)] = &[
    ("src/status.rs", ""),
    ("src/abi/version.rs", "Version and errors"),
    ("src/abi/options.rs", "Options"),
    ("src/abi/hooks.rs", "Callbacks"),
    ("src/abi/lifecycle.rs", "Recording on and off"),
    ("src/abi/session.rs", "Sessions"),
    ("src/abi/ids.rs", "Ids and sampling, for a host's own OpenTelemetry"),
    ("src/abi/capture.rs", "Payloads"),
    ("src/abi/spans.rs", "Spans and exceptions, for hosts with no OpenTelemetry of their own"),
    ("src/abi/logs.rs", "Logs"),
    ("src/abi/export.rs", "OTLP in, for hosts with an OpenTelemetry SDK in any language"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The exported functions of a source file: name and text.
fn functions(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let after = |text: &str| text.split_once(" fn ").unwrap().1.split('(').next().unwrap().to_owned();
    text.split("#[no_mangle]").skip(1).map(|function| (after(function), function.to_owned())).collect()
}

fn generated() -> String {
    let config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    let builder = cbindgen::Builder::new().with_config(config);
    let builder = SOURCES.iter().fold(builder, |builder, (file, _)| builder.with_src(root().join(file)));
    let mut out = Vec::new();
    builder.generate().unwrap().write(&mut out);
    // Rust has keywords that C has not: a parameter called in_ or type_ loses its underscore in C.
    let text = String::from_utf8(out).unwrap();
    let mut text = text.replace(" fn_", " fn").replace("*in_,", "*in,").replace("*type_,", "*type,");
    // The typedefs stand for the structs everywhere but in their own lines.
    for name in ["options", "capture", "span", "stats", "span_context"] {
        text = text.replace(&format!("struct mpr_{name} *"), &format!("mpr_{name} *"));
    }
    for (file, heading) in SOURCES.iter().filter(|(_, heading)| !heading.is_empty()) {
        let first = &functions(file)[0].0;
        let is_prototype = |line: &str| !line.starts_with(['/', ' ']) && line.contains(&format!("{first}("));
        let line =
            text.lines().find(|line| is_prototype(line)).unwrap_or_else(|| panic!("{first} is not in the header"));
        let comment = text[..text.find(&format!("\n{line}")).unwrap()].rfind("\n\n").unwrap() + 1;
        text.insert_str(comment, &format!("\n/* ---- {heading} ---- */\n\n"));
    }
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    text
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let path = root().join("include/mpr.h");
    let new = generated();
    if std::env::var_os("MPR_BLESS").is_some() {
        std::fs::write(&path, &new).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == new, "include/mpr.h is out of date: run `make header` and commit it");
}

/// A guard that is left out would let a panic abort the host.
#[test]
fn every_exported_function_is_guarded() {
    // These return a constant or read this thread's message: nothing in them can panic.
    let plain = ["mpr_version", "mpr_abi_version", "mpr_last_error"];
    let mut count = 0;
    for (file, _) in SOURCES {
        for (name, function) in functions(file) {
            let body = function.split_once(" {\n").unwrap().1.split("\n}\n").next().unwrap();
            let body: String = body.split_whitespace().collect();
            let guarded =
                [format!("guard(\"{name}\","), format!("guard_or(\"{name}\",")].iter().any(|g| body.contains(g));
            assert!(guarded || plain.contains(&name.as_str()), "{file}: {name} has no guard of its name");
            count += 1;
        }
    }
    assert!(count > 100, "only {count} functions were found");
}
