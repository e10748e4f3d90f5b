"""Whom a client trusts for https: what the environment says, looked at before it is used."""

from __future__ import annotations

import os
import ssl

from bus.errors import ConfigError

CA_KEYS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Who is trusted for https, a file or a folder; the first that is set holds."""


def trusted_file() -> tuple[str, str]:
    """Give the file of trusted authorities that the environment names, and the name it has there.

    Both are empty where it names none.
    """
    return next(((key, os.environ[key]) for key in CA_KEYS if os.environ.get(key)), ("", ""))


def check_trusted(key: str, file: str) -> None:
    """Refuse what is no file of certificates; `requests` would only say so in a traceback."""
    try:
        if not os.path.isdir(file):  # noqa: PTH112 - a text of the environment, handed on as it is
            ssl.create_default_context(cafile=file)
    except OSError as error:  # of which SSLError is one
        reason = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"{key}={file} cannot be used ({str(reason).lower()})") from error
