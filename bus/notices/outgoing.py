"""The ways out: ntfy, a webhook with a Standard Webhooks signature, email by SMTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING

from bus import __version__
from bus.clock import to_text
from bus.errors import BusError
from bus.notices.model import EMAIL, NTFY, Verdict
from bus.notices.posting import STEP_S, RefusedError, judged, post, trust
from bus.notices.reading import read_mailbox
from bus.notices.rules import read_hosts, read_url

if TYPE_CHECKING:
    from bus.config import Config
    from bus.notices.model import Letter
    from bus.store.statement import Row

PRIORITIES = (5, 4, 3, 2)
"""Those of ntfy for urgent, high, normal and low."""
SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark that the standard puts before a secret


def deliver(config: Config, target: Row, letter: Letter, now_ms: int) -> Verdict:
    """Send one notice to one target, and say what became of it; it raises nothing."""
    if target.kind == EMAIL:
        return judged(lambda: mail(config, target, letter, now_ms))
    if target.kind == NTFY:
        headers, body = for_ntfy(target, letter)
    else:
        headers, body = for_webhook(target, letter, now_ms)
    headers["Content-Type"] = "application/json"
    return post(read_url(target.address), read_hosts(config.notice_hosts), headers, body)


def for_ntfy(target: Row, letter: Letter) -> tuple[dict[str, str], bytes]:
    """Write what ntfy publishes; one that was sent twice takes the place of itself."""
    said = {
        "topic": target.topic,
        "title": letter.title,
        "message": letter.text,
        "priority": PRIORITIES[letter.priority],
        "click": letter.link,
        "sequence_id": letter.id,
    }
    headers = {"Authorization": f"Bearer {target.secret}"} if target.secret else {}
    return headers, json.dumps(said).encode()


def for_webhook(target: Row, letter: Letter, now_ms: int) -> tuple[dict[str, str], bytes]:
    """Write what a webhook gets, with the signature of this attempt."""
    data = {
        "to": letter.to,
        "title": letter.title,
        "text": letter.text,
        "link": letter.link,
        "count": letter.count,
        "urgent": letter.priority == 0,
        "items": letter.items,
    }
    kind = "notice" if letter.count else "test"
    said = {"type": kind, "timestamp": to_text(letter.at_ms), "data": data}
    body = json.dumps(said).encode()
    at_s = str(now_ms // 1000)
    headers = {
        "webhook-id": letter.id,
        "webhook-timestamp": at_s,
        "webhook-signature": sign(target.secret, letter.id, at_s, body),
    }
    return headers, body


def make_secret(text: str) -> str:
    """Write a secret as the standard has it."""
    return SECRET_PREFIX + base64.b64encode(text.encode()).decode()


def sign(secret: str, webhook_id: str, at_s: str, body: bytes) -> str:
    """Sign a request by the version 1 of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((webhook_id.encode(), at_s.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def mail(config: Config, target: Row, letter: Letter, now_ms: int) -> Verdict:
    """Hand an email to the administration's server."""
    if not config.smtp_host:
        raise RefusedError("there is no server for email any more (BUS_SMTP_HOST)")
    try:
        read_mailbox(target.address, read_hosts(config.notice_hosts))
    except BusError as error:
        raise RefusedError(error.detail) from error
    message = write_mail(config, target.address, letter, now_ms)
    step = "connecting"
    try:
        with connect(config) as server:
            step = "STARTTLS"
            if config.smtp_security == "starttls":
                server.starttls(context=trust())
            step = "the log-in"
            if config.smtp_user:
                server.login(config.smtp_user, config.smtp_password)
            step = "the message"
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        raise RefusedError(f"SMTP {code} for its recipient") from error
    except smtplib.SMTPResponseException as error:
        raise RefusedError(f"SMTP {error.smtp_code} at {step}") from error
    except smtplib.SMTPException as error:
        if isinstance(error.__cause__, ssl.SSLError):
            raise error.__cause__ from error
        raise RefusedError(f"SMTP failed at {step}") from error
    return Verdict(is_taken=True, said="SMTP 250")


def connect(config: Config) -> smtplib.SMTP:
    """Connect to the administration's server."""
    # It greets by a name that is set: to find this machine's own could take long.
    where = (config.smtp_host, config.smtp_port, domain_of(config))
    if config.smtp_security == "tls":
        return smtplib.SMTP_SSL(*where, timeout=STEP_S, context=trust())
    return smtplib.SMTP(*where, timeout=STEP_S)


def domain_of(config: Config) -> str:
    """Give the domain that the bus writes from."""
    return config.smtp_from.rpartition("@")[2].rstrip(">")


def write_mail(config: Config, address: str, letter: Letter, now_ms: int) -> EmailMessage:
    """Write an email; sent twice it has the same Message-ID, by which mailboxes know it."""
    message = EmailMessage()
    message["From"], message["To"] = config.smtp_from, address
    message["Subject"] = letter.title
    message["Date"] = datetime.fromtimestamp(now_ms / 1000, UTC)
    message["Message-ID"] = f"<{letter.id}@{domain_of(config)}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Mailer"] = f"wakebus/{__version__}"
    message.set_content(f"{letter.text}\n\n{letter.link}\n")
    return message
