"""What gateways show: certificates of an authority made for the test, and tokens of the list.

openssl makes the certificates, so that what we read was written by somebody else.
"""

import hashlib
import ssl
import subprocess
from pathlib import Path

__all__ = ["Authority", "listed", "token_of"]


def token_of(name: str) -> str:
    """The token of a gateway of the tests."""
    return f"wwt_the token of {name}, which nobody guesses".replace(" ", "_")


def listed(name: str, *lines: str, token: bool = True) -> str:
    """A [[gateway]] of the settings."""
    kept = hashlib.sha256(token_of(name).encode()).hexdigest()
    said = [f'token_sha256 = "{kept}"'] if token else []
    return "\n".join(["[[gateway]]", f'name = "{name}"', *said, *lines, ""])


def openssl(*words: object) -> str:
    done = subprocess.run(
        ["openssl", *[str(word) for word in words]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """An authority of certificates in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        self._made(self._key)
        openssl("req", "-x509", "-key", self._key, "-subj", "/CN=test authority", "-days", "2",
                "-out", self.certificate)  # fmt: skip

    def _made(self, key: Path) -> None:
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        key.chmod(0o600)

    def issue(self, name: str, subject: str) -> tuple[Path, Path]:
        """A certificate and its key, good for localhost; subject as openssl takes it, /CN=name."""
        key, request, made = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        self._made(key)
        openssl("req", "-new", "-key", key, "-subj", subject, "-out", request,
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")  # fmt: skip
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                "-CAcreateserial", "-days", "2", "-copy_extensions", "copy",
                "-out", made)  # fmt: skip
        return made, key

    def expired(self, name: str, subject: str) -> tuple[Path, Path]:
        """The same, of another year."""
        made, key = self.issue(name, subject)
        self._books("-in", self.folder / f"{name}.csr", "-out", made, "-notext",
                    "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")  # fmt: skip
        return made, key

    def revoked(self, *made: Path, out_of_date: bool = False) -> Path:
        """A revocation list with these on it."""
        for certificate in made:
            self._books("-revoke", certificate)
        where = self.folder / "revoked.crl"
        dates = ["-crldays", 2]
        if out_of_date:
            dates = ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"]
        self._books("-gencrl", *dates, "-out", where)
        return where

    def _books(self, *words: object) -> None:
        """`openssl ca`, which keeps books."""
        books = self.folder / "books"
        books.mkdir(exist_ok=True)
        (books / "index.txt").touch()
        (books / "index.txt.attr").write_text("unique_subject = no\n")
        settings = books / "ca.cnf"
        settings.write_text(
            "[ca]\ndefault_ca = d\n[p]\ncommonName = supplied\n[d]\npolicy = p\n"
            f"database = {books}/index.txt\nnew_certs_dir = {books}\ndefault_md = sha256\n"
            "rand_serial = yes\nunique_subject = no\n"
            f"certificate = {self.certificate}\nprivate_key = {self._key}\n"
        )
        openssl("ca", "-batch", "-config", settings, *words)

    def context(self, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client connects under; shown: its certificate and key."""
        made = ssl.create_default_context(cafile=self.certificate)
        if shown is not None:
            made.load_cert_chain(*shown)
        return made

    def settings(
        self, server: tuple[Path, Path], clients: str = "none", crl: Path | None = None
    ) -> str:
        """[tls] of the daemon's settings."""
        ca = f'client_ca = "{self.certificate}"\nclients = "{clients}"\n'
        ca += f'crl = "{crl}"\n' if crl else ""
        return f'[tls]\ncertificate = "{server[0]}"\nkey = "{server[1]}"\n' + (
            ca if clients != "none" else ""
        )
