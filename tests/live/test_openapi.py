"""The API's own description: valid, whole, and open to whoever has no token yet."""

from __future__ import annotations

import json
import urllib.request

import pytest
from openapi_spec_validator import validate

from bus.app import ROUTES
from bus.web.answers import ANSWERS


@pytest.fixture(scope="module")
def description(shared_bus):
    with urllib.request.urlopen(f"{shared_bus.url}/openapi.json", timeout=60) as answer:
        return json.load(answer)


def test_the_description_is_valid_openapi(description):
    validate(description)


def test_a_client_made_from_it_knows_each_call_and_its_body(description):
    send = description["paths"]["/api/send"]["post"]
    assert send["security"] == [{"token": []}]
    assert "schema" in send["requestBody"]["content"]["application/json"]
    assert description["paths"]["/healthz"]["get"]["security"] == []
    parts = description["paths"]["/api/messages/{handle}/reply"]["post"]["parameters"]
    assert [(part["name"], part["in"]) for part in parts] == [
        ("handle", "path"),
        ("ack", "query"),
        ("unless_replied", "query"),
    ]


def test_a_client_made_from_it_knows_that_a_list_may_be_sent(description):
    schema = description["paths"]["/api/send"]["post"]["requestBody"]["content"]
    many, one = schema["application/json"]["schema"]["anyOf"]
    assert (many["type"], many["items"]) == ("array", one)


def test_a_client_made_from_it_knows_what_each_good_answer_has(description):
    operations = [one for path in description["paths"].values() for one in path.values()]
    answers = [answer for one in operations for answer in one["responses"].values()]
    good = [answer for answer in answers if "$ref" not in answer]
    assert len(good) >= len(operations)
    bare = {name for name, answer in ANSWERS.items() if not answer.has and not answer.texts}
    assert all(name.endswith("/streams/<stream_id>") for name in bare)
    assert len([answer for answer in good if not answer["content"]]) == sum(
        len(ANSWERS[name].statuses) for name in bare
    )
    assert {call.name for routes in ROUTES for call in routes.calls.calls} == set(ANSWERS)


def test_each_error_is_explained(description):
    assert description["x-errors"]["fenced"]["status"] == 409
    assert description["x-errors"]["inbox_full"]["retryable"] is True
