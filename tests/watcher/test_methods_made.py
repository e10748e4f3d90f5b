"""Which methods a watcher makes, and the skill that its agents are taught by."""

from __future__ import annotations

import pytest

from watcher import cli
from watcher.methods import Methods


def test_agents_that_name_the_gateway_and_agents_on_auto_share_one_connection(enrolled, clock):
    settings = enrolled(agents={"alpha": {"method": "gateway"}, "beta": {}})
    methods = Methods(settings, clock)
    gateway = methods.find(settings.agents["alpha"])
    auto = methods.find(settings.agents["beta"])
    assert auto._candidates[0] is gateway


def test_an_agent_is_taught_the_bus_by_a_printed_skill(enrolled, folder, capsys):
    settings = enrolled(agents={"beta": {}})
    assert cli.main(["skill", "beta", "--dir", str(folder.path)]) == 0
    printed = capsys.readouterr().out
    assert "You are `beta` on the bus" in printed
    assert settings.url in printed
    assert "/beta.header" in printed
    assert "{{" not in printed


@pytest.mark.parametrize("name", ["nobody", "../x"])
def test_there_is_no_skill_for_a_stranger(enrolled, folder, capsys, name):
    enrolled(agents={"beta": {}})
    assert cli.main(["skill", name, "--dir", str(folder.path)]) == 3
    assert "this node has: beta" in capsys.readouterr().err
