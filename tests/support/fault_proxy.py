"""A network that fails: a TCP forwarder in front of any server (HTTP, TLS, gRPC alike), scripted connection by connection.

    with FaultProxy(platform.port) as net:
        net.on(Fault(cut_answer=10), Fault(black_hole=True))   # the first two connections; then all goes through
        … run a program with env=platform.env(OTEL_EXPORTER_OTLP_ENDPOINT=net.url) …
        assert net.connections == 3
"""

import socket
import struct
import threading
import time
from dataclasses import dataclass


@dataclass
class Fault:
    """What happens to one connection. Counts are in bytes on the wire.

    cut_request   after so many bytes of the client's the connection is cut
    cut_answer    after so many bytes of the server's
    fin           it is cut by FIN; otherwise by RST
    black_hole    the connection stands and nothing goes through, either way
    deaf          the client's bytes are not even taken: its send buffer fills
    slow          seconds between pieces of the client's bytes
    piece         how long those are
    answer        these bytes come in place of the server's (garbage), then FIN
    """

    cut_request: int = None
    cut_answer: int = None
    fin: bool = False
    black_hole: bool = False
    deaf: bool = False
    slow: float = 0
    piece: int = 1024
    answer: bytes = None


class FaultProxy:
    def __init__(self, target, tls=False, listen=("127.0.0.1", 0)):
        self._target, self._faults, self._always = target, [], None
        self._ending, self._lock = threading.Event(), threading.Lock()
        self.connections = self.bytes_up = self.bytes_down = 0
        self._listener = socket.create_server(listen, backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._sockets = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._listener.close()
        self.cut()

    def on(self, *faults):
        """The next connections, one after the other."""
        with self._lock:
            self._faults.extend(faults)

    def always(self, fault):
        """All connections after those of on(); None: they go through."""
        with self._lock:
            self._always = fault

    def cut(self):
        """Ends all that are open, by RST."""
        with self._lock:
            open_now = list(self._sockets)
        for one in open_now:
            _reset(one)

    def _accept(self):
        while not self._ending.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                fault = self._faults.pop(0) if self._faults else self._always
                self._sockets.add(client)
            threading.Thread(target=self._serve, args=(client, fault or Fault()), daemon=True).start()

    def _serve(self, client, fault):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if fault.deaf:
            self._ending.wait()
            return
        if fault.black_hole:
            try:
                while client.recv(65536):
                    pass
            except OSError:
                pass
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            _reset(client)
            return
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._sockets.add(server)
        up = threading.Thread(target=self._pump, args=(client, server, fault, True), daemon=True)
        up.start()
        self._pump(server, client, fault, False)
        up.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def _pump(self, source, sink, fault, up):
        limit = fault.cut_request if up else fault.cut_answer
        done = 0
        try:
            while True:
                want = min(65536, fault.piece if up and fault.slow else 65536)
                if limit is not None:
                    want = min(want, limit - done)
                    if want == 0:
                        for one in (source, sink):
                            one.shutdown(socket.SHUT_RDWR) if fault.fin else _reset(one)
                        return
                data = source.recv(want)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if not up and fault.answer is not None:
                    sink.sendall(fault.answer)
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                sink.sendall(data)
                done += len(data)
                with self._lock:
                    self.bytes_up += len(data) if up else 0
                    self.bytes_down += 0 if up else len(data)
                if up and fault.slow:
                    time.sleep(fault.slow)
        except OSError:
            for one in (source, sink):
                _reset(one)


def _reset(one):
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # close() alone would wait for a recv() in another thread.
        one.shutdown(socket.SHUT_RD)
        one.close()
    except OSError:
        pass
