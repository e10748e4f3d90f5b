"""The four scenes once more with curl alone, over a network that swallows and a bus that is killed.

A device is a curl that follows the person's stream, and one that reads what it has not.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading

import pytest
from scenery import PEOPLE, WAIT_S

from tests.conftest import until

pytestmark = [pytest.mark.openclaw, pytest.mark.browser, pytest.mark.timeout(600)]
STORY = " ".join(f"Wave {number} came over the bow and went." for number in range(500))
LIMITS = ("--max-time", "40", "--speed-limit", "1", "--speed-time", "5")
"""A network that swallows everything tells nobody: a device gives up when nothing comes."""
PAUSE = threading.Event()


class Device:
    """Somebody with a shell: what they call, and what they have read of a session so far."""

    def __init__(self, stage, folder, who, url=""):
        self.url, self.who = url or stage.house.url, who
        self.header = folder / f"{who}.header"
        self.header.write_text(f"Authorization: Bearer {stage.house.tokens[who]}\n")
        self.entries = []

    def curl(self, path, *words):
        """Call, again and again until there is an answer that is one."""

        def call():
            argv = ["curl", "-sS", *LIMITS, "-H", f"@{self.header}", *words, f"{self.url}{path}"]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode or '"code":"away"' in done.stdout:
                return None
            return done.stdout or " "

        return until(call, WAIT_S, f"{path} answers")

    def say(self, session, body):
        """Say something; sent again it is said once."""
        key = f"Idempotency-Key: {self.who}-{len(body)}-{body}"
        said = json.dumps({"body": body})
        words = ("-H", key, "-H", "Content-Type: application/json", "-d", said)
        return json.loads(self.curl(f"/api/sessions/{session}/entries", *words))

    def read(self, session):
        """Read on from where this device is; what is being said is not read yet."""
        after = self.entries[-1]["place"] if self.entries else 0
        page = json.loads(self.curl(f"/api/sessions/{session}/entries?limit=200&after={after}"))
        for entry in page["entries"]:
            if entry["data"].get("state") == "open":
                break
            self.entries.append(entry)
        return self.entries

    def read_until(self, session, body):
        def look():
            return [one for one in self.read(session) if one["body"] == body]

        (found,) = until(look, WAIT_S, f"{self.who} reads {body[:40]!r}")
        return found

    def follow(self):
        """Open the person's stream; what it says stands in the output of what this gives."""
        argv = ["curl", "-sSN", "-H", f"@{self.header}", f"{self.url}/api/stream?last_event_id=now"]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def read_stream(self, stream, offset, stop):
        """Read a token stream from an offset on, until `stop(bytes)`; gives them and the next."""
        said = ""
        while not stop(said):
            path = f"/streams/{stream}?offset={offset}&live=long-poll"
            head, _, body = self.curl(path, "--include").replace("\r", "").partition("\n\n")
            found = re.search(r"(?im)^stream-next-offset: (\S+)$", head)
            if " 200 " in head.splitlines()[0] or " 204 " in head.splitlines()[0]:
                said, offset = said + body, found[1]
                if re.search(r"(?im)^stream-closed: true$", head):
                    break
            else:
                PAUSE.wait(0.1)
        return said, offset


@pytest.fixture
def device(stage, tmp_path):
    return lambda who, url="": Device(stage, tmp_path, who, url)


def check_whole(device, stage, session, count):
    kept = stage.entries(session, device.who)
    assert [one["place"] for one in kept] == list(range(1, count + 1))
    assert device.read(session) == kept


def test_what_a_timer_began_while_nobody_was_there_is_read_later(stage, device):
    session = stage.begin("By night", "night-two")
    say = stage.command("night-two", f"/api/sessions/{session}/entries", {"body": "all is well"})
    stage.behave("night-two", {"text": "Done."}, then={"exec": say})
    later = {"to": "night-two", "body": "Look round.", "deliver_in": 3}
    words = ("-H", "Content-Type: application/json", "-d", json.dumps(later))
    sent = json.loads(device("alice").curl("/api/send", *words))
    stage.kill_bus()
    stage.await_acked(sent["id"])
    phone = device("alice", stage.relay.url)
    phone.read_until(session, "all is well")
    check_whole(phone, stage, session, 1)


def test_an_agent_that_nobody_asked_comes_down_an_open_stream_and_is_answered(stage, device):
    stage.behave("reviewer-two", {"text": "It is merged."})
    listening = device("bob").follow()
    assert next(line for line in listening.stdout if line == "event: hello\n")
    ask = stage.command("reviewer-two", "/api/approvals", {"to": "bob", "title": "May I merge?"})
    what = {"exec": ask}
    stage.machine.behave("reviewer-two", what, {"text": "Asked."}, match="Review the night")
    stage.machine.start_turn("reviewer-two", "Review the night again.")
    told = next(line for line in listening.stdout if "May I merge?" in line)
    listening.terminate()
    listening.communicate()
    session = json.loads(told.removeprefix("data: "))["session"]
    phone = device("bob", stage.relay.url)
    (asked,) = json.loads(phone.curl(f"/api/approvals?session={session}"))["approvals"]
    words = ("-H", "Content-Type: application/json", "-d", '{"answer": "approve"}')
    phone.curl(f"/api/approvals/{asked['approval_id']}/answer", *words)
    stage.kill_bus()
    phone.read_until(session, "It is merged.")
    check_whole(phone, stage, session, len(stage.entries(session, "bob")))


def test_what_one_device_read_half_another_reads_on_to_the_byte(stage, device):
    session = stage.begin("The sea", {"name": "teller-two", "wake": "turn"})
    stage.behave("teller-two", {"text": STORY})
    desk = device("alice")
    desk.say(session, "How was the sea?")

    def look():
        found = [one for one in stage.entries(session) if one["kind"] == "output"]
        return found[0]["data"]["stream"] if found else None

    stream = until(look, WAIT_S, "it begins to speak")
    half, offset = desk.read_stream(stream, "-1", lambda said: "Wave 20 " in said)
    assert STORY.startswith(half)
    assert len(half) < len(STORY)
    phone = device("alice", stage.relay.url)
    stage.relay.swallow()
    mend = threading.Timer(7, stage.relay.mend)  # longer than a device waits
    mend.start()
    stage.kill_bus()
    rest, _ = phone.read_stream(stream, offset, lambda said: half + said == STORY)
    mend.join()
    assert half + rest == STORY
    phone.read_until(session, STORY)
    check_whole(phone, stage, session, 2)


def test_five_people_and_an_agent_read_one_talk_whatever_breaks(stage, device):
    session = stage.begin("Five", *PEOPLE[1:], {"name": "crew-two", "wake": "mention"})
    stage.behave("crew-two", {"text": "At four."})
    by = {"charlie": stage.relay.url}
    devices = [device(who, by.get(who, "")) for who in PEOPLE]
    for one in devices:
        one.say(session, f"{one.who} is here")
        one.read(session)
    stage.relay.swallow()
    talking = [
        threading.Thread(target=one.say, args=(session, f"{one.who} goes on")) for one in devices
    ]
    for each in talking:
        each.start()
    stage.kill_bus()
    stage.relay.mend()
    for each in talking:
        each.join(WAIT_S)
    devices[0].say(session, "@crew-two when is the tide?")
    for one in devices:
        one.read_until(session, "At four.")
        check_whole(one, stage, session, 12)
    words = [f"{who} {what}" for who in PEOPLE for what in ("is here", "goes on")]
    words += ["@crew-two when is the tide?", "At four."]
    assert sorted(one["body"] for one in stage.entries(session)) == sorted(words)
