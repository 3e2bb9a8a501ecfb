"""TLS and SASL settings: aiokafka's keywords, or a mapping as librdkafka's or Java's clients take it.

Nothing here does I/O but reading certificate files when the settings are first used, and no secret shows in a repr or
in an error.

References
----------
https://aiokafka.readthedocs.io/en/stable/api.html, librdkafka's CONFIGURATION.md, https://kafka.apache.org/documentation/#security
"""

from __future__ import annotations

import difflib
import importlib.util
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from streamlab.errors import ImproperlyConfigured

__all__ = ["Security"]

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI")

CONFIG_KEYS = {
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "sasl.kerberos.service.name": "sasl_kerberos_service_name",
    "oauth_cb": "sasl_oauth_token_provider",
    "ssl.ca.location": "ssl_cafile",
    "ssl.ca.pem": "ssl_cadata",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
    "ssl.truststore.location": "ssl_cafile",
    "ssl.truststore.certificates": "ssl_cadata",
    "ssl.keystore.location": "ssl_certfile",
    "enable.ssl.certificate.verification": "ssl_verify",
}
SPECIAL_KEYS = ("sasl.jaas.config", "ssl.endpoint.identification.algorithm", "ssl.truststore.type", "ssl.keystore.type")
ELSEWHERE = {
    "bootstrap.servers": 'the broker\'s url says that: broker="kafka://host:port,host:port"',
    "bootstrap_servers": 'the broker\'s url says that: broker="kafka://host:port,host:port"',
    "metadata.broker.list": 'the broker\'s url says that: broker="kafka://host:port,host:port"',
    "group.id": "a stream observes, unless it is given group=",
    "auto.offset.reset": "a stream says where it begins with start=",
    "enable.auto.commit": "only streams with group= commit, after acks",
    "ssl.truststore.password": "a PEM file needs no password; leave it out",
}
JAAS = re.compile(r"""(\w[\w.]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")


@dataclass(frozen=True)
class Security:
    """How to talk to a cluster: checked when made, in aiokafka's spelling.

    Parameters
    ----------
    security_protocol : {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}
    sasl_mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"}
    sasl_plain_username, sasl_plain_password : str
        For PLAIN and SCRAM.
    sasl_oauth_token_provider : callable
        Returns a token, or an awaitable of one; or an object with such a method ``token``.
    sasl_kerberos_service_name, sasl_kerberos_domain_name : str
        For GSSAPI, which needs the package gssapi.
    ssl_context : ssl.SSLContext
        Instead of the files below.
    ssl_cafile, ssl_cadata, ssl_certfile, ssl_keyfile, ssl_password : str
        PEM files, or the PEM text itself, and the password of the key. Without a CA the system's are trusted.
    ssl_check_hostname, ssl_verify : bool
        False to accept a certificate of another host, or any certificate at all.
    """

    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_plain_username: str | None = field(default=None, repr=False)
    sasl_plain_password: str | None = field(default=None, repr=False)
    sasl_oauth_token_provider: Callable[[], Any] | None = field(default=None, repr=False)
    sasl_kerberos_service_name: str = field(default="kafka", repr=False)
    sasl_kerberos_domain_name: str | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    ssl_cafile: str | None = field(default=None, repr=False)
    ssl_cadata: str | None = field(default=None, repr=False)
    ssl_certfile: str | None = field(default=None, repr=False)
    ssl_keyfile: str | None = field(default=None, repr=False)
    ssl_password: str | None = field(default=None, repr=False)
    ssl_check_hostname: bool = True
    ssl_verify: bool = True

    @classmethod
    def parse(cls, options: Mapping[str, Any]) -> Security:
        """Read keywords in aiokafka's spelling, and ``config``, a mapping in librdkafka's or Java's.

        Raises
        ------
        ImproperlyConfigured
            An unknown key (naming the nearest known one), a setting twice, or settings that cannot work together.
        """
        given = dict(options)
        config = given.pop("config", None) or {}
        names = [f.name for f in fields(cls)]
        for key in given:
            if key not in names:
                raise _unknown(key, [*names, "config"])
        for key, value in _from_config(config).items():
            if given.get(key) is not None:
                raise ImproperlyConfigured(f"{key} is given twice, as a keyword and in config. Leave one of them out.")
            given[key] = value
        security = cls(**{key: value for key, value in given.items() if value is not None})
        security._check()
        return security

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether connections authenticate."""
        return self.security_protocol.startswith("SASL")

    def options(self) -> dict[str, Any]:
        """Keyword arguments for aiokafka. Reads the certificate files at first use."""
        found: dict[str, Any] = {"security_protocol": self.security_protocol}
        if self.uses_tls:
            found["ssl_context"] = self._context
        if self.uses_sasl:
            names = [f.name for f in fields(self) if f.name.startswith("sasl_")]
            found |= {name: value for name in names if (value := getattr(self, name)) is not None}
        return found

    @cached_property
    def _context(self) -> ssl.SSLContext:
        if self.ssl_context is not None:
            return self.ssl_context
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile, cadata=self.ssl_cadata)
            if self.ssl_certfile is not None:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, self.ssl_password)
        except (OSError, ValueError) as error:
            files = ", ".join(f for f in (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile) if f)
            raise ImproperlyConfigured(
                f"The certificates cannot be used ({files or 'PEM text'}): {getattr(error, 'reason', None) or error}. They have to be PEM."
            ) from error
        context.check_hostname = self.ssl_check_hostname and self.ssl_verify
        if not self.ssl_verify:
            context.verify_mode = ssl.CERT_NONE
        return context

    def _check(self) -> None:
        _one_of("security_protocol", self.security_protocol, PROTOCOLS)
        if self.sasl_mechanism is not None:
            _one_of("sasl_mechanism", self.sasl_mechanism, MECHANISMS)
        self._check_files()
        if self.uses_sasl:
            self._check_sasl()
        elif any((self.sasl_mechanism, self.sasl_plain_username, self.sasl_plain_password, self.sasl_oauth_token_provider)):
            raise ImproperlyConfigured(
                f"SASL settings are given, but security_protocol is {self.security_protocol}, which does not log in. "
                'Add security_protocol="SASL_SSL" (or "SASL_PLAINTEXT", which does not encrypt).'
            )
        if not self.uses_tls and any((self.ssl_context, self.ssl_cafile, self.ssl_cadata, self.ssl_certfile, self.ssl_keyfile)):
            raise ImproperlyConfigured(
                f"TLS settings are given, but security_protocol is {self.security_protocol}, which does not encrypt. "
                f'Add security_protocol="{"SASL_SSL" if self.uses_sasl else "SSL"}".'
            )

    def _check_files(self) -> None:
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise ImproperlyConfigured(f"{name} (or its spelling in config) names a file that is not there: {path}.")
            if path is not None and Path(path).suffix.lower() in (".jks", ".p12", ".pfx"):
                raise ImproperlyConfigured(
                    f"{path} is a Java key store; PEM is needed. `keytool -exportcert -rfc -alias NAME -keystore FILE` writes "
                    "a certificate as PEM, `openssl pkcs12 -in FILE -nodes` a key."
                )

    def _check_sasl(self) -> None:
        mechanism = self.sasl_mechanism
        if mechanism is None:
            raise ImproperlyConfigured(f"{self.security_protocol} needs sasl_mechanism, one of {', '.join(MECHANISMS)}.")
        if mechanism == "OAUTHBEARER":
            provider = self.sasl_oauth_token_provider
            if not callable(getattr(provider, "token", provider)):
                raise ImproperlyConfigured("OAUTHBEARER needs sasl_oauth_token_provider, a function that returns a token.")
        elif mechanism == "GSSAPI":
            if importlib.util.find_spec("gssapi") is None:
                raise ImproperlyConfigured("sasl_mechanism GSSAPI (Kerberos) needs the package gssapi: pip install gssapi.")
        elif not self.sasl_plain_username or self.sasl_plain_password is None:
            raise ImproperlyConfigured(f"{mechanism} needs sasl_plain_username and sasl_plain_password.")


def _from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key in CONFIG_KEYS:
            found[CONFIG_KEYS[key]] = _flag(value) if key == "enable.ssl.certificate.verification" else value
        elif key == "ssl.endpoint.identification.algorithm":
            found["ssl_check_hostname"] = value not in ("", "none", None)
        elif key in ("ssl.truststore.type", "ssl.keystore.type"):
            _one_of(key, value, ("PEM",))
        elif key != "sasl.jaas.config":
            raise _unknown(key, [*CONFIG_KEYS, *SPECIAL_KEYS])
    if config.get("sasl.jaas.config") is not None:
        for key, value in _from_jaas(str(config["sasl.jaas.config"])).items():
            found.setdefault(key, value)
    return found


def _from_jaas(text: str) -> dict[str, str]:
    """Read ``org.apache.kafka...PlainLoginModule required username="..." password="...";``."""
    if "PlainLoginModule" not in text and "ScramLoginModule" not in text:
        raise ImproperlyConfigured("sasl.jaas.config: only PlainLoginModule and ScramLoginModule are understood.")
    values = {name: re.sub(r"\\(.)", r"\1", double or single) for name, double, single in JAAS.findall(text)}
    if "username" not in values or "password" not in values:
        raise ImproperlyConfigured('sasl.jaas.config names no username="..." and password="...".')
    found = {"sasl_plain_username": values["username"], "sasl_plain_password": values["password"]}
    if "PlainLoginModule" in text:
        found["sasl_mechanism"] = "PLAIN"
    return found


def _unknown(key: str, known: list[str]) -> ImproperlyConfigured:
    if key in ELSEWHERE:
        return ImproperlyConfigured(f"{key} is no security setting: {ELSEWHERE[key]}.")
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return ImproperlyConfigured(
        f"Unknown setting {key!r}. " + (f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}.")
    )


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        near = difflib.get_close_matches(str(value).upper(), allowed, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ImproperlyConfigured(f"{name} is one of {', '.join(allowed)}, not {str(value)[:40]!r}.{hint}")


def _flag(value: object) -> bool:
    return str(value).lower() not in ("false", "0", "no")
