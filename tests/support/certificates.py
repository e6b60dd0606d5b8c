"""Certificates of a test's own authority, made with the openssl command."""

import shutil
import ssl
import subprocess

import pytest


class Authority:
    """`ca.pem`, and `cert(name)` for certificates that it signs, in a folder."""

    def __init__(self, folder, name="ca"):
        if not shutil.which("openssl"):
            pytest.skip("the openssl command is not installed (package openssl)")
        self.folder, self.ca, self._key = folder, folder / f"{name}.pem", folder / f"{name}.key"
        self._run("req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self.ca, "-days", "30", "-subj", f"/CN=test {name}",
                  "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip

    def cert(self, name, names="DNS:localhost,IP:127.0.0.1", days=30):
        """(certificate, key) as PEM files. `days` below 0: expired."""
        cert, key, request, more = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr", "ext"))
        more.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        self._run("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._run("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-set_serial", str(len(name) + 1),
                  "-days", str(days), "-extfile", more, "-out", cert)  # fmt: skip
        return cert, key

    def server(self, names="DNS:localhost,IP:127.0.0.1", clients=False, name="server"):
        """An ssl.SSLContext for a server; with `clients` it wants certificates of this authority from them."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.cert(name, names))
        if clients:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _run(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
