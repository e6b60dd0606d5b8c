"""An OTLP receiver over gRPC on one free port of 127.0.0.1, with grpcio (an implementation that is not ours). It answers
as a collector does until a test scripts something else:

    with GrpcServer() as receiver:
        receiver.on(GrpcAnswer("UNAVAILABLE", retry_after=1.5), GrpcAnswer(hang=True))
        … run a program with env=platform.env(**receiver.env()) …
        assert receiver.spans and receiver.requests[0].metadata["authorization"] == "key"
"""

import threading
import time
from concurrent import futures
from dataclasses import dataclass

import otlp

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@dataclass
class GrpcAnswer:
    """code        name of a gRPC status
    retry_after    seconds of a google.rpc.RetryInfo
    body           the encoded answer of an OK
    hang           never answers
    """

    code: str = "OK"
    message: str = ""
    retry_after: float = None
    body: bytes = b""
    hang: bool = False


@dataclass
class GrpcRequest:
    route: str  #: "traces", "logs" or the method's name
    metadata: dict
    body: bytes  #: decompressed
    at: float
    peer: str  #: address and port of the connection
    answered: str = ""

    @property
    def spans(self):
        return otlp.traces_of(self.body)

    @property
    def logs(self):
        return otlp.logs_of(self.body)


def status_details(code, message, seconds):
    """An encoded google.rpc.Status with a RetryInfo."""
    whole = int(seconds)
    delay = otlp.number_field(1, whole) + otlp.number_field(2, int((seconds - whole) * 1e9))
    info = otlp.field(1, "type.googleapis.com/google.rpc.RetryInfo") + otlp.field(2, otlp.field(1, delay))
    return otlp.number_field(1, code) + otlp.field(2, message) + otlp.field(3, info)


class GrpcServer:
    def __init__(self, port=0, credentials=None, max_bytes=None):
        import grpc

        self._grpc = grpc
        self.requests, self._answers = [], []
        self._lock, self._ending = threading.Lock(), threading.Event()
        options = [("grpc.so_reuseport", 0)]
        if max_bytes:
            options.append(("grpc.max_receive_message_length", max_bytes))
        self._server = grpc.server(futures.ThreadPoolExecutor(16), options=options)
        self._server.add_generic_rpc_handlers((_handler(grpc, self),))
        address = f"127.0.0.1:{port}"
        add = self._server.add_secure_port if credentials else self._server.add_insecure_port
        self.port = add(address, *([credentials] if credentials else []))
        self.url = f"{'https' if credentials else 'http'}://127.0.0.1:{self.port}"
        self._server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._server.stop(0).wait(10)

    def on(self, *answers):
        """Answers the next requests so; then as usual."""
        with self._lock:
            self._answers.extend(answers)

    def env(self, url=None):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": url or self.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}

    @property
    def spans(self):
        return [s for r in list(self.requests) if r.route == "traces" and r.answered == "OK" for s in r.spans]

    @property
    def logs(self):
        return [s for r in list(self.requests) if r.route == "logs" and r.answered == "OK" for s in r.logs]

    def _answer(self, method, body, context):
        route = {TRACES: "traces", LOGS: "logs"}.get(method, method)
        metadata = {key: value for key, value in context.invocation_metadata()}
        request = GrpcRequest(route, metadata, body, time.monotonic(), context.peer())
        with self._lock:
            self.requests.append(request)
            answer = self._answers.pop(0) if self._answers else GrpcAnswer()
        if answer.hang:
            self._ending.wait(60)
        request.answered = answer.code
        if answer.code == "OK":
            return answer.body
        code = getattr(self._grpc.StatusCode, answer.code)
        if answer.retry_after is not None:
            details = status_details(code.value[0], answer.message, answer.retry_after)
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(code, answer.message)


def _handler(grpc, server):
    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method not in (TRACES, LOGS):
                return None
            return grpc.unary_unary_rpc_method_handler(
                lambda body, context: server._answer(details.method, body, context)
            )

    return Handler()
