//! OpenTelemetry Rust's producer in `make bench-delivery`: benches/workload.h in Rust, with the same arguments and output.

use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor,
};

/// Records and throws away.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &Context) {}
    fn on_end(&self, _: SpanData) {}
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Run {
    arguments: HashMap<String, String>,
}

impl Run {
    fn text(&self, name: &str, default: &'static str) -> &str {
        self.arguments.get(name).map_or(default, String::as_str)
    }
    fn number(&self, name: &str, default: usize) -> usize {
        self.arguments.get(name).map_or(default, |text| text.parse().expect("a number"))
    }
}

fn begin(run: &Run) -> SdkTracerProvider {
    let builder = SdkTracerProvider::builder();
    let builder = match run.text("mode", "export") {
        "export" => {
            let exporter = SpanExporter::builder()
                .with_http()
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(run.text("endpoint", ""))
                .build()
                .expect("an exporter");
            let batch = match run.number("queue", 0) {
                0 => BatchConfigBuilder::default(),
                queue => BatchConfigBuilder::default().with_max_queue_size(queue),
            };
            builder.with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batch.build()).build())
        }
        _ => builder.with_span_processor(Discard),
    };
    builder
        .with_sampler(if run.text("mode", "export") == "unrecorded" { Sampler::AlwaysOff } else { Sampler::AlwaysOn })
        .build()
}

/// Values are made anew as a program makes them that has them from a request; the C interfaces copy them, too.
fn span(tracer: &SdkTracer, n: usize, text: Option<&str>) {
    let mut span = tracer.span_builder("GET /cart/{id}").with_kind(SpanKind::Server).start(tracer);
    span.set_attribute(KeyValue::new("http.request.method", "GET".to_owned()));
    span.set_attribute(KeyValue::new("http.route", "/cart/{id}".to_owned()));
    span.set_attribute(KeyValue::new("url.path", "/cart/18334".to_owned()));
    span.set_attribute(KeyValue::new("http.response.status_code", 200));
    span.set_attribute(KeyValue::new("server.address", "shop.example.com".to_owned()));
    span.set_attribute(KeyValue::new("server.port", 443));
    span.set_attribute(KeyValue::new("user_agent.original", "curl/8.5.0".to_owned()));
    span.set_attribute(KeyValue::new("network.protocol.version", "1.1".to_owned()));
    span.set_attribute(KeyValue::new("cart.items", n as i64));
    span.set_attribute(KeyValue::new("cart.paid", true));
    if let Some(text) = text {
        span.set_attribute(KeyValue::new("request.text", text.to_owned()));
        span.set_attribute(KeyValue::new("response.text", text.to_owned()));
    }
    span.end();
}

fn clock(which: libc::clockid_t) -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(which, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn main() {
    let pairs = std::env::args().skip(1);
    let pairs = pairs.map(|pair| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).expect("name=value"));
    let run = Run { arguments: pairs.collect() };
    let large = "x".repeat(2048);
    let text = (run.number("large", 0) == 1).then_some(large.as_str());
    let (producers, rate, gentle) = (run.number("producers", 1), run.number("rate", 0), run.number("gentle", 0) == 1);
    let each = run.number("spans", 100_000) / producers;
    for _ in 0..run.number("rounds", 1) {
        let provider = begin(&run);
        let tracer = provider.tracer("bench");
        if run.text("mode", "export") != "export" {
            (0..1000).for_each(|n| span(&tracer, n, text));
        }
        let (start, cpu) = (clock(libc::CLOCK_MONOTONIC), clock(libc::CLOCK_PROCESS_CPUTIME_ID));
        let produce = |first: usize| {
            let cpu = clock(libc::CLOCK_THREAD_CPUTIME_ID);
            let mut took = Vec::with_capacity(if rate > 0 { each } else { 0 });
            let start = clock(libc::CLOCK_MONOTONIC);
            for i in 0..each {
                if rate == 0 {
                    span(&tracer, first + i, text);
                    continue;
                }
                let due = start + i as f64 / rate as f64;
                let begin = loop {
                    let now = clock(libc::CLOCK_MONOTONIC);
                    if now >= due {
                        break now;
                    }
                    if gentle {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                };
                span(&tracer, first + i, text);
                took.push(((clock(libc::CLOCK_MONOTONIC) - begin) * 1e9) as u32);
            }
            (clock(libc::CLOCK_THREAD_CPUTIME_ID) - cpu, took)
        };
        let results: Vec<(f64, Vec<u32>)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..producers).map(|i| scope.spawn(move || produce(i * each))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a producer")).collect()
        });
        let made = clock(libc::CLOCK_MONOTONIC);
        let _ = provider.shutdown_with_timeout(Duration::from_secs(120));
        let cpu = clock(libc::CLOCK_PROCESS_CPUTIME_ID) - cpu;
        let producer: f64 = results.iter().map(|(cpu, _)| cpu).sum();
        let mut took: Vec<u32> = results.into_iter().flat_map(|(_, took)| took).collect();
        took.sort_unstable();
        let quantile = |q: f64| {
            let at = ((took.len().max(1) - 1) as f64 * q) as usize;
            f64::from(took.get(at).copied().unwrap_or(0)) / 1e3
        };
        println!(
            "{{\"begin\": {start:.6}, \"made\": {made:.6}, \"producer_us\": {:.4}, \"cpu_s\": {cpu:.4}, \"peak_kb\": {}, \
             \"p50\": {:.3}, \"p99\": {:.3}, \"p999\": {:.3}}}",
            producer * 1e6 / (each * producers) as f64,
            peak_kb(),
            quantile(0.5),
            quantile(0.99),
            quantile(0.999)
        );
    }
}
