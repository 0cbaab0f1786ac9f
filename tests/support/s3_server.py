"""A real S3 server in this process, and a proxy with faults."""

import http.client
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.request import ProxyHandler, Request, build_opener

from moto.server import ThreadedMotoServer

ACCESS_KEY: Final = "AKIATESTTESTTESTTEST"
SECRET_KEY: Final = "a-secret-key-of-the-tests"
REGION: Final = "eu-central-1"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server. Each test makes a bucket."""

    url: str

    def make_bucket(self, name: str, *, versioned: bool = False) -> str:
        """Make a bucket, and return its name."""
        self._put(f"/{name}", b"")
        if versioned:
            self._put(
                f"/{name}?versioning=",
                b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            )
        return name

    def _put(self, path: str, body: bytes) -> None:
        request = Request(self.url + path, data=body, method="PUT", headers={"Content-Type": "application/xml"})  # noqa: S310 - loopback
        with build_opener(ProxyHandler({})).open(request):
            pass


@contextmanager
def run_s3_server() -> Iterator[S3Server]:
    """Run a server on a free port of this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()


@dataclass(slots=True)
class Fault:
    """An answer in place of the server's, to requests of one method.

    It is given `times` times. A status of 0 closes the connection, and `cut_after` closes it within the server's
    answer. The answer waits for `released`.
    """

    method: str
    status: int
    code: str = ""
    times: int = 1_000_000
    released: threading.Event | None = None
    cut_after: int | None = None


@dataclass(slots=True)
class FaultyProxy:
    """Forwards requests to a server, and plays faults."""

    target: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def take(self, method: str) -> Fault | None:
        """Return the fault of a request, if any."""
        for fault in self.faults:
            if fault.method == method and fault.times > 0:
                fault.times -= 1
                return fault
        return None


@contextmanager
def open_proxy(target: str) -> Iterator[FaultyProxy]:
    """Run a proxy before a server."""
    proxy = FaultyProxy(target)
    server = _Server(("127.0.0.1", 0), _handler(proxy))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        for fault in proxy.faults:
            if fault.released is not None:
                fault.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Be silent about clients that hang up."""


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    address = proxy.target.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.requests.append(f"{self.command} {self.path}")
            fault = proxy.take(self.command)
            if fault is not None and fault.cut_after is None:
                self._play(fault)
                return
            upstream = http.client.HTTPConnection(address, timeout=10)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            length = answer.getheader("content-length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content if fault is None else content[: fault.cut_after])
            self.close_connection = fault is not None

        def _play(self, fault: Fault) -> None:
            if fault.released is not None:
                fault.released.wait(10)
            if not fault.status:
                self.close_connection = True
                return
            content = f"<Error><Code>{fault.code}</Code><Message>{SECRET_KEY}</Message></Error>".encode()
            self.send_response(fault.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815 - names of the base class

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    return Handler


def s3_environment(url: str) -> dict[str, str]:
    """Return the environment variables of a client."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def new_name() -> str:
    """Return a name of a bucket."""
    return f"bucket-{os.urandom(8).hex()}"
