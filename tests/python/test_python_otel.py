"""OpenTelemetry Python for real: ids, sampler, processors, exporters and filters, with the current one and the oldest."""

import pytest

SETUP = """
import logging
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, ALWAYS_ON
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind as Kind, Status, StatusCode, TraceFlags, TraceState
from multiplayer.session_recorder import (
    SessionRecorderRandomIdGenerator, SessionRecorderTraceIdRatioBasedSampler, SessionRecorderSpanProcessor,
    SessionRecorderLogProcessor, OTLPSpanExporterWrapper, OTLPLogExporterWrapper, configure_opentelemetry, SessionRecorderSdk,
)
from multiplayer.session_recorder.exporter import (
    HTTPOTLPSpanExporter, HTTPOTLPLogExporter, GRPCOTLPSpanExporter, GRPCOTLPLogExporter,
)

ids = SessionRecorderRandomIdGenerator()

def provider(*processors, rate=0, generator=ids, sampler=None):
    sampler = sampler or SessionRecorderTraceIdRatioBasedSampler(rate)
    made = TracerProvider(resource=Resource.create({"service.name": "shop"}), id_generator=generator, sampler=sampler)
    for one in processors:
        made.add_span_processor(one)
    return made

def remote(trace_id, sampled=True):
    return trace.set_span_in_context(NonRecordingSpan(SpanContext(trace_id, 77, True, TraceFlags(int(sampled)))))
"""


def test_ids(run_python, local, python):
    told = run_python(
        SETUP
        + """
import random
def made(n=500):
    random.seed(7)
    return [ids.generate_trace_id() for _ in range(n)] + [ids.generate_span_id() for _ in range(n)]
off = made()
session_recorder.init({"traceIdGenerator": ids})
session_recorder.start()
short = session_recorder.session_info()["shortId"]
inside = [ids.generate_trace_id() for _ in range(1000)]
session_recorder.stop()
session_recorder.start(SessionType.CONTINUOUS)
rolling, rolling_short = ids.generate_trace_id(), session_recorder.session_info()["shortId"]
session_recorder.stop()
# Forked processes that seed Python's generator alike make ids of their own.
several = []
for _ in range(3):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, json.dumps(made(200)).encode()); os._exit(0)
    os.close(write)
    text = b""
    while piece := os.read(read, 65536): text += piece
    os.waitpid(child, 0)
    several += json.loads(text)
doc = SessionRecorderRandomIdGenerator(autoDocTracesRatio=1)
some = SessionRecorderRandomIdGenerator(autoDocTracesRatio=0.3)
docs = sum(("%032x" % some.generate_trace_id()).startswith("d0cd0c") for _ in range(3000))
ids.set_session_id("12ab34cd", SessionType.CONTINUOUS)
own = "%032x" % ids.generate_trace_id()
ids.set_session_id("")
refused = []
for bad in (lambda: SessionRecorderRandomIdGenerator(autoDocTracesRatio=2), lambda: ids.set_session_id("xyz"),
            lambda: SessionRecorderTraceIdRatioBasedSampler(rate=-1), lambda: SessionRecorderTraceIdRatioBasedSampler(rate="1")):
    try: bad()
    except SessionRecorderError as e: refused.append(e.name)
session_recorder.shutdown()
tell(off=len(set(off)), inside=["%032x" % one for one in inside], short=short, rolling="%032x" % rolling, rolling_short=rolling_short,
     several=len(set(several)), doc="%032x" % doc.generate_trace_id(), docs=docs, own=own, refused=refused,
     after="%032x" % ids.generate_trace_id())
""",
        to=local,
        python=python,
    )
    assert told["off"] == 1000 and told["several"] == 1200
    assert len(set(told["inside"])) == 1000 and {one[:14] for one in told["inside"]} == {"debdeb" + told["short"]}
    assert told["rolling"].startswith("cdbcdb" + told["rolling_short"])
    assert told["doc"].startswith("d0cd0c") and 700 < told["docs"] < 1100
    assert told["own"].startswith("cdbcdb12ab34cd") and not told["after"].startswith(("debdeb", "cdbcdb"))
    assert told["refused"] == ["MPR_ERR_INVALID_ARGUMENT"] * 4


def test_sampler(run_python, python):
    """Sessions and documentation always, by themselves and below ParentBased; the rest by rate, as OpenTelemetry does."""
    told = run_python(
        SETUP
        + """
import random
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased, Decision
def of(sampler, trace_id, parent=None, **attributes):
    return sampler.should_sample(parent, trace_id, "name", Kind.SERVER, attributes, None)
session, rolling, doc = int("debdeb" + "1" * 26, 16), int("cdbcdb" + "f" * 26, 16), int("d0cd0c" + "f" * 26, 16)
never, half, always = (SessionRecorderTraceIdRatioBasedSampler(rate=r) for r in (0, 0.5, 1))
kept = [of(s, t).decision is Decision.RECORD_AND_SAMPLE for s in (never, ParentBased(never)) for t in (session, rolling, doc)]
others = [random.getrandbits(128) | 1 << 127 for _ in range(2000)]
theirs = TraceIdRatioBased(0.5)
same = all(of(half, t).decision is of(theirs, t).decision for t in others)
none = any(of(never, t).is_sampled() if hasattr(of(never, t), "is_sampled") else of(never, t).decision is not Decision.DROP for t in others)
every = all(of(always, t).decision is Decision.RECORD_AND_SAMPLE for t in others)
state = TraceState([("a", "b")])
parent = trace.set_span_in_context(NonRecordingSpan(SpanContext(session, 7, True, TraceFlags(1), state)))
result = of(never, session, parent, x=1)
dropped = of(never, others[0], parent, x=1)
tell(kept=kept, same=same, none=none, every=every, state=result.trace_state.get("a"), attributes=dict(result.attributes),
     dropped=[dict(dropped.attributes or {}), dropped.trace_state.get("a")],
     parents=[of(ParentBased(never), others[0], remote(others[0], yes)).decision.name for yes in (True, False)],
     names=[never.get_description(), half.rate, half.bound])
""",
        python=python,
    )
    assert told["kept"] == [True] * 6 and told["same"] and told["every"] and not told["none"]
    assert told["state"] == "b" and told["attributes"] == {"x": 1} and told["dropped"] == [{}, "b"]
    assert told["parents"] == ["RECORD_AND_SAMPLE", "DROP"]
    assert told["names"] == ["SessionRecorderTraceIdRatioBased{0.0}", 0.5, 1 << 63]


def test_bytes_are_opentelemetrys(run_python):
    """What leaves for the library says what OpenTelemetry's own encoder says, for spans of all shapes."""
    run_python(
        SETUP
        + """
import random
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from multiplayer.session_recorder import _otlp

def plain(request):
    # Ours has the trace's own flags in the low byte, as the protocol wants it, and the links' trace state.
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                span.flags &= 0x300
                if not span.status.code and not span.status.message: span.ClearField("status")
                for link in span.links:
                    link.flags &= 0x300; link.trace_state = ""
    return request

rng = random.Random(5)
memory = InMemorySpanExporter()
one = provider(SimpleSpanProcessor(memory), sampler=ALWAYS_ON)
two = TracerProvider(resource=Resource({"n": 1, "l": ["a", "b"], "f": 1.5, "t": True}, "http://schema"), id_generator=ids)
two.add_span_processor(SimpleSpanProcessor(memory))
sizes = [0, 1, 100, 126, 127, 128, 129, 3899, 3900, 4095, 4096, 16383, 16384, 70000]
values = [True, False, 0, -1, 2**63 - 1, -2**63, 0.0, -1.5e300, float("inf"), "", "ü" * 70, "x", ["a", "b"], [1, -2], [True], [1.5], (), []]
values += ["v" * n for n in sizes]
there = SpanContext(rng.getrandbits(128), rng.getrandbits(64), True, TraceFlags(1), TraceState([("a", "b"), ("c", "d")]))
for n in range(150):
    tracer = rng.choice([one, two]).get_tracer(rng.choice(["a", "b", ""]), rng.choice(["1.0", None]), schema_url=rng.choice(["", "http://s"]))
    links = [Link(there, {"x": rng.choice(values)})] * rng.randrange(3)
    context = rng.choice([None, trace.set_span_in_context(NonRecordingSpan(there))])
    with tracer.start_as_current_span("n" * rng.choice(sizes), context=context, kind=rng.choice(list(Kind)), links=links) as span:
        for _ in range(rng.randrange(12)):
            span.set_attribute("k%d" % rng.randrange(30) * rng.randrange(1, 40), rng.choice(values))
        # What the encoder keeps of the span before: equal values of other types, other values, values too long to keep.
        alike = [1, True, 1.0, 0, False, 0.0, -0.0, "1", "1", 200, 200, "GET", "GET", "v" * 500, [1], -1]
        for key in ("http.method", "http.status_code", "server.port"):
            span.set_attribute(key, rng.choice(alike))
        span.add_event("alike", {"http.status_code": rng.choice(alike), "http.method": rng.choice(alike)})
        for _ in range(rng.randrange(3)):
            span.add_event("e", {"k": rng.choice(values)} if rng.random() < 0.7 else None)
        if rng.random() < 0.5:
            span.set_status(Status(rng.choice(list(StatusCode)), rng.choice(["said", None])) if rng.random() < 0.3 else Status(StatusCode.ERROR, "bad"))
        if rng.random() < 0.1:
            for k in range(140): span.set_attribute("many%d" % k, k); span.add_event("e%d" % k)
spans = memory.get_finished_spans()
assert len(spans) == 150
ours = ExportTraceServiceRequest(); ours.ParseFromString(_otlp.spans(spans))
theirs = encode_spans(spans)
by_name = lambda request: sorted(str(r) for r in plain(request).resource_spans)
assert by_name(ours) == by_name(theirs)
for span in spans:
    ours = ExportTraceServiceRequest(); ours.ParseFromString(_otlp.one_span(span))
    assert plain(ours) == plain(encode_spans([span]))

# Logs.
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor, InMemoryLogRecordExporter
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry._logs import LogRecord, SeverityNumber
kept = InMemoryLogRecordExporter()
logs = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
logs.add_log_record_processor(SimpleLogRecordProcessor(kept))
log = logs.get_logger("l", "2")
for n, body in enumerate([*values, {"a": {"b": [1, None, "x"]}}, b"bytes"]):
    with (one.get_tracer("t").start_as_current_span("s") if n % 2 else open(os.devnull)):
        log.emit(LogRecord(timestamp=time.time_ns(), observed_timestamp=time.time_ns(), severity_text="WARN", severity_number=SeverityNumber(1 + n % 24),
                           body=body, attributes={"k": rng.choice(values)}, event_name=["event", None][n % 2]))
records = kept.get_finished_logs()
ours = ExportLogsServiceRequest(); ours.ParseFromString(_otlp.logs(records))
import difflib
a, b = str(ours).splitlines(), str(encode_logs(records)).splitlines()
assert len(records) > 30 and ours == encode_logs(records), [l[:100] for l in difflib.unified_diff(a, b, n=4, lineterm="")][:60]
""",
        PYTHONWARNINGS="ignore",
        silent=False,
    )


@pytest.mark.parametrize("which", ["processor", "exporters"])
def test_delivery(run_python, local, python, which):
    """Spans and logs of a session, masked, by the processor and by batch processors, which stop() has hand over first;
    no others; once each."""
    told = run_python(
        SETUP
        + """
from opentelemetry import _logs
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
which = sys.argv[1]
if which == "processor":
    spans, logs = SessionRecorderSpanProcessor(), SessionRecorderLogProcessor()
else:
    span_exporter, log_exporter = HTTPOTLPSpanExporter("local"), HTTPOTLPLogExporter("local")
    spans, logs = BatchSpanProcessor(span_exporter, schedule_delay_millis=3600000), BatchLogRecordProcessor(log_exporter, 3600000)
trace.set_tracer_provider(provider(spans, rate=1))
logger_provider = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
logger_provider.add_log_record_processor(logs)
_logs.set_logger_provider(logger_provider)
logging.getLogger().addHandler(LoggingHandler(logger_provider=logger_provider)); logging.getLogger().setLevel("INFO")
logging.getLogger().propagate = False
session_recorder.init(traceIdGenerator=ids)
tracer = trace.get_tracer("app", "1.0")

def work(name):
    with tracer.start_as_current_span(name, kind=Kind.SERVER) as span:
        span.set_attributes({"user": "ann", "password": "hunter2", "n": 5})
        with tracer.start_as_current_span("child of " + name) as child:
            logging.info("in %s, password=hunter2", name)
            SessionRecorderSdk.capture_exception(ValueError("token=s3cret-token1"))

work("before")
session_recorder.start()
for n in range(20): work("inside")
session_recorder.stop()
after = session_recorder.stats()
work("after")
session_recorder.shutdown()
work("off")
tell(after=after)
""",
        which,
        to=local,
        python=python,
    )
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    everything = local.session(session["_id"])
    names = [s["name"] for s in everything["spans"]]
    assert sorted(names) == ["child of inside"] * 20 + ["inside"] * 20
    assert len({s["spanId"] for s in everything["spans"]}) == 40
    assert told["after"]["accepted"] == told["after"]["exported"] == 60, "stop() delivered what OpenTelemetry held"
    one = next(s for s in everything["spans"] if s["name"] == "inside")
    assert one["attributes"]["user"] == "ann" and one["attributes"]["n"] == 5 and one["kind"] == "SERVER"
    child = next(s for s in everything["spans"] if s["name"] != "inside")
    assert child["status"]["code"] == "ERROR" and child["events"][0]["attributes"]["exception.type"] == "ValueError"
    assert len(everything["logs"]) == 20 and everything["logs"][0]["body"].startswith("in inside, password=")
    assert {log["spanId"] for log in everything["logs"]} == {s["spanId"] for s in everything["spans"] if s["name"] != "inside"}
    kept = b"".join(file.read_bytes() for file in local.database.parent.iterdir())
    assert b"hunter2" not in kept and b"s3cret-token1" not in kept


def test_exporters_set_options_of_init(run_python, platform, python):
    """A key and endpoints that exporters were given, where init() was told nothing; gRPC is gRPC."""
    told = run_python(
        SETUP
        + """
for name in ("MULTIPLAYER_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"): del os.environ[name]
url = sys.argv[1]
exporters = [HTTPOTLPSpanExporter(api_key="of-the-exporter", endpoint=url + "/v1/traces", timeout=5),
             HTTPOTLPLogExporter(api_key="of-the-exporter", endpoint=url + "/v1/logs")]
from multiplayer.session_recorder import _recorder
http = dict(_recorder.early_options)
GRPCOTLPSpanExporter(endpoint="http://127.0.0.1:4317"); grpc = dict(_recorder.early_options)["protocol"]
_recorder.early_options.update(http)
trace.set_tracer_provider(provider(BatchSpanProcessor(exporters[0])))
session_recorder.init(resourceAttributes={"serviceName": "shop"})
session_recorder.start()
with trace.get_tracer("t").start_as_current_span("sent"): pass
flushed = exporters[0].force_flush(5000), exporters[1].force_flush(5000)
session_recorder.stop(); session_recorder.shutdown()
tell(http=http, grpc=grpc, flushed=flushed)
""",
        platform.url,
        to=platform,
        python=python,
    )
    assert told["http"]["protocol"] == "http/protobuf" and told["http"]["timeout_ms"] == 5000 and told["grpc"] == "grpc"
    assert [s["name"] for s in platform.spans] == ["sent"]
    assert {r.headers["authorization"] for r in platform.of("traces")} == {"of-the-exporter"}


def test_filters(run_python, local, python):
    """A wrapped exporter gets all but the session's, as it was; filters are of ReadableSpans and log records."""
    told = run_python(
        SETUP
        + """
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs import export as log_export
from multiplayer.session_recorder.exporter import helpers
memory = InMemorySpanExporter()
Logs = getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter
kept = Logs()
wrapper, log_wrapper = OTLPSpanExporterWrapper(memory), OTLPLogExporterWrapper(kept)
everything = InMemorySpanExporter()
made = provider(SimpleSpanProcessor(wrapper), SimpleSpanProcessor(everything), rate=1)
logs = LoggerProvider(); logs.add_log_record_processor(log_export.SimpleLogRecordProcessor(log_wrapper))
logging.getLogger("app").addHandler(LoggingHandler(logger_provider=logs)); logging.getLogger("app").setLevel("INFO"); logging.getLogger("app").propagate = False
tracer = made.get_tracer("t")
def work(name):
    with tracer.start_as_current_span(name): logging.getLogger("app").info(name)
session_recorder.init(); work("before"); session_recorder.start(); work("in"); session_recorder.stop()
session_recorder.start(SessionType.CONTINUOUS); work("rolling"); session_recorder.cancel(); work("after"); session_recorder.shutdown()
all_spans = everything.get_finished_spans()
include, exclude = helpers.filter_spans_include_debug(all_spans), helpers.filter_spans_exclude_debug(all_spans)
tell(spans=[s.name for s in memory.get_finished_spans()], logs=[r.log_record.body for r in kept.get_finished_logs()],
     include=[s.name for s in include], exclude=[s.name for s in exclude], same=include[0] is all_spans[1],
     delegated=[len(wrapper.get_finished_spans()), wrapper.force_flush(), log_wrapper.force_flush()],
     nothing=[helpers.should_export_data([]), helpers.should_export_data(include)], result=wrapper.export(include).name)
wrapper.shutdown(); log_wrapper.shutdown()
""",
        to=local,
        python=python,
    )
    assert told["spans"] == told["exclude"] == ["before", "after"] and told["include"] == ["in", "rolling"]
    assert told["logs"] == ["before", "after"] and told["same"] and told["delegated"] == [2, True, True]
    assert told["nothing"] == [False, True] and told["result"] == "SUCCESS"


def test_configure_and_native_spans_below(run_python, local, python):
    """configure_opentelemetry() alone; the recorder's own spans and logs stand below OpenTelemetry's; a second one is refused."""
    run_python(
        SETUP
        + """
session_recorder.init({"resourceAttributes": {"serviceName": "cart", "version": "7", "region": "eu"}})
made = configure_opentelemetry()
assert dict(made.resource.attributes)["service.version"] == "7" and dict(made.resource.attributes)["region"] == "eu"
session_recorder.start()
with trace.get_tracer("t").start_as_current_span("outer"):
    with session_recorder.span("inner"): pass
    session_recorder.log("a line")
# A caller outside whose trace is of no session and not sampled.
with trace.get_tracer("t").start_as_current_span("elsewhere", context=remote(5, sampled=False)) as span: assert not span.is_recording()
# One of a session that says that it is not sampled: the session wins.
theirs = int("debdeb" + session_recorder.session_info()["shortId"] + "5" * 18, 16)
with trace.get_tracer("t").start_as_current_span("theirs", context=remote(theirs, sampled=False)) as span: assert span.is_recording()
session_recorder.stop(); session_recorder.shutdown()
try: configure_opentelemetry()
except SessionRecorderError as e: assert e.name == "MPR_ERR_INVALID_STATE" and "add_span_processor" in e.message
else: raise AssertionError
""",
        to=local,
        python=python,
    )
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    found = local.session(session["_id"])
    spans = {s["name"]: s for s in found["spans"]}
    assert set(spans) == {"outer", "inner", "theirs"}
    assert spans["inner"]["parentSpanId"] == found["logs"][0]["spanId"] == spans["outer"]["spanId"]
    assert session["services"] == ["cart"]


def test_recording_off_costs_nothing_and_says_so_once(run_python, python):
    told = run_python(
        SETUP
        + """
lines = []
class Lines(logging.Handler):
    def emit(self, record): lines.append(record.getMessage())
logger = logging.getLogger("multiplayer.session_recorder"); logger.addHandler(Lines()); logger.propagate = False
made = provider(SessionRecorderSpanProcessor(), SimpleSpanProcessor(HTTPOTLPSpanExporter("k")), rate=1)
for _ in range(3):
    with made.get_tracer("t").start_as_current_span("ordinary"): pass
    with made.get_tracer("t").start_as_current_span("of a session", context=remote(int("debdeb" + "1" * 26, 16))): pass
assert made.force_flush() and session_recorder.stats()["accepted"] == 0
made.shutdown()
tell(lines=lines)
""",
        python=python,
    )
    assert len(told["lines"]) == 1 and "session_recorder.init()" in told["lines"][0]


def test_exit_without_a_word(run_python, local, python):
    """A program that ends with spans in a batch processor, made before the recorder was imported, loses none."""
    run_python(
        SETUP
        + """
trace.set_tracer_provider(provider(BatchSpanProcessor(HTTPOTLPSpanExporter("local"), schedule_delay_millis=3600000)))
session_recorder.init(); session_recorder.start()
with trace.get_tracer("t").start_as_current_span("last words"): pass
""",
        to=local,
        python=python,
    )
    (session,) = local.request("GET", "/api/sessions").json["sessions"]
    assert local.span_names(session["_id"]) == ["last words"] and not session["live"]


def test_grpc_exporter(run_python, platform, python):
    """The exporters of that name send over gRPC, to the endpoint and with the key that they were given."""
    from grpc_server import GrpcServer

    with GrpcServer() as server:
        run_python(
            SETUP
            + """
for name in ("MULTIPLAYER_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"): del os.environ[name]
trace.set_tracer_provider(provider(BatchSpanProcessor(GRPCOTLPSpanExporter(api_key="the-key", endpoint=sys.argv[1]))))
session_recorder.init(); session_recorder.start()
with trace.get_tracer("t").start_as_current_span("over gRPC"): pass
session_recorder.stop(); session_recorder.shutdown()
""",
            f"http://127.0.0.1:{server.port}",
            to=platform,
            python=python,
        )
        assert [s["name"] for s in server.spans] == ["over gRPC"]
    assert platform.of("traces") == []
