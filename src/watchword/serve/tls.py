"""TLS of the gateways' port: 1.3 alone, certificates of clients optional or required.

The rules: files are read when the daemon starts and again after a SIGHUP, and connections that
stand go on under what they began with, unless their certificate is on the revocation list; a key
that others can read is refused. No session is resumed: each connection shows its certificate again,
so that one that was taken back opens nothing.
"""

import os
import ssl
import stat
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from watchword.errors import InvalidArgument

__all__ = ["CLIENTS", "Tls", "number_of", "private", "subject_of"]

BEGIN_OF_LIST: Final = b"-----BEGIN X509 CRL-----"
END_OF_LIST: Final = b"-----END X509 CRL-----"

CLIENTS: Final = {
    "none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What [tls] says. Errors: InvalidArgument names the setting and what it may be."""

    certificate: str
    key: str
    client_ca: str = ""
    clients: str = "none"
    crl: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not isinstance(getattr(self, field.name), str):
                raise InvalidArgument(f"[tls] {field.name} must be text")
        if not self.certificate or not self.key:
            raise InvalidArgument("[tls] needs certificate and key, the paths of PEM files")
        if self.clients not in CLIENTS:
            raise InvalidArgument(f"[tls] clients must be one of {', '.join(CLIENTS)}")
        if (self.clients != "none") != bool(self.client_ca):
            raise InvalidArgument(
                "[tls] client_ca is needed where clients is optional or required, and only there"
            )
        if self.crl and not self.client_ca:
            raise InvalidArgument("[tls] crl is of certificates of client_ca, which is needed")

    @classmethod
    def from_table(cls, table: dict[str, Any], folder: str) -> Self | None:
        """What [tls] says, or nothing. folder: what relative paths in it are relative to."""
        if not table:
            return None
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(table) - set(known))
        if unknown or not {"certificate", "key"} <= set(table):
            raise InvalidArgument(f"[tls] takes certificate, key, any of {', '.join(known[2:])}")
        return cls(
            **{
                name: os.path.join(folder, value) if name != "clients" and value and
                isinstance(value, str) else value
                for name, value in table.items()
            }
        )  # fmt: skip

    def context(self) -> ssl.SSLContext:
        """What new connections are taken under. Errors: InvalidArgument."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        made.num_tickets = 0
        made.verify_mode = CLIENTS[self.clients]
        private(self.key, "TLS key")
        try:
            made.load_cert_chain(self.certificate, self.key, password=refused)
        except (OSError, ssl.SSLError, ValueError) as error:
            why = getattr(error, "strerror", None) or getattr(error, "reason", None) or "no pair"
            raise InvalidArgument(
                f"[tls] certificate {self.certificate} and key {self.key}: {why}",
                hint="both are PEM files, and the key is that of the certificate",
            ) from None
        if self.client_ca:
            try:
                made.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as error:
                why = getattr(error, "strerror", None) or "it holds no certificate in PEM"
                raise InvalidArgument(f"[tls] client_ca {self.client_ca}: {why}") from None
        if self.crl:
            self._revoked_in(made)
        return made

    def _revoked_in(self, made: ssl.SSLContext) -> None:
        """Certificates of the list open nothing; nor does any, when its list is not there or is out
        of date."""
        try:
            made.load_verify_locations(self.crl)
        except (OSError, ssl.SSLError) as error:
            why = "it holds no revocation list in PEM"
            if not isinstance(error, ssl.SSLError):
                why = str(error.strerror)
            raise InvalidArgument(f"[tls] crl {self.crl}: {why}") from None
        if not made.cert_store_stats()["crl"]:
            raise InvalidArgument(f"[tls] crl {self.crl}: it holds no revocation list in PEM")
        made.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF

    def revoked(self) -> "frozenset[tuple[bytes, int]]":
        """Issuer and number of every certificate on the list. Errors: InvalidArgument."""
        if not self.crl:
            return frozenset()
        from cryptography import x509

        with open(self.crl, "rb") as file:
            text = file.read()
        return frozenset(
            (issuer_of(found), one.serial_number)
            for part in text.split(END_OF_LIST)[:-1]
            for found in [x509.load_pem_x509_crl(part[part.rindex(BEGIN_OF_LIST) :] + END_OF_LIST)]
            for one in found
        )


def issuer_of(signed: Any) -> bytes:
    return bytes(signed.issuer.public_bytes())


def number_of(connection: Any) -> tuple[bytes, int] | None:
    """Issuer and number of a client's certificate; None: it showed none."""
    shown = connection.getpeercert(binary_form=True) if connection is not None else None
    if not shown:
        return None
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(shown)
    return issuer_of(certificate), certificate.serial_number


def refused() -> str:
    """A key under a passphrase would have the daemon ask somebody who is not there."""
    raise ValueError


def private(path: str, what: str) -> None:
    """Refuses a file with a secret in it that others can reach. Errors: InvalidArgument."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InvalidArgument(f"{what} {path}: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
        raise InvalidArgument(f"{what} {path} must be a file of root's or of the daemon's user")
    if status.st_mode & 0o077:
        raise InvalidArgument(
            f"{what} {path} can be read or written by others (mode {status.st_mode & 0o777:o})",
            hint=f"chmod 600 {path}",
        )


def subject_of(connection: Any) -> str:
    """The subject of a client's certificate, as RFC 4514 writes it; "": it showed none. What the
    handshake let pass was signed by client_ca."""
    shown = connection.getpeercert(binary_form=True) if connection is not None else None
    if not shown:
        return ""
    from cryptography import x509  # a tenth of a start, for those alone who show certificates

    try:
        return x509.load_der_x509_certificate(shown).subject.rfc4514_string()
    except ValueError:  # signed all the same, but by somebody who cannot write one
        return ""
