"""The side where turns are: OpenClaw's version, gateway and hooks, and how each agent is woken.

It starts no turn. It must not know the bus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher import openclaw, program, programs
from watcher.doctor.finding import bad, ok, warn
from watcher.install import skills
from watcher.methods import BLIND, METHODS, OPENCLAW_METHODS, Methods, name_meant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from watcher.clock import Clock
    from watcher.doctor.finding import Finding
    from watcher.settings import AgentSettings, Settings

WHERE_ELSE = "docs/reference/wake-methods.md"


def look(settings: Settings, clock: Clock, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at OpenClaw where an agent is one of its own, then at each agent."""
    in_openclaw = skills.agents_of_openclaw(settings)
    if in_openclaw:
        yield _look_at_program(settings, environ)
        yield from _look_at_configuration(settings, in_openclaw)
        yield from _look_at_methods(settings, clock, in_openclaw[0])
    methods = Methods(settings, clock)
    for agent in settings.agents.values():
        yield _look_at_agent(methods, agent)
    for agent in in_openclaw:
        yield _look_at_skill(settings, agent, environ)


def _look_at_program(settings: Settings, environ: Mapping[str, str]) -> Finding:
    said = programs.ask([*settings.openclaw.argv, "--version"], environ)
    if said.is_good:
        return ok("OpenClaw", said.output.strip().partition("\n")[0])
    mend = f"is it on the PATH? else: {program()} set openclaw.argv=/PATH/TO/openclaw"
    return warn("OpenClaw", said.trouble, mend)


def _look_at_configuration(settings: Settings, agents: list[AgentSettings]) -> Iterator[Finding]:
    try:
        configuration = openclaw.read(settings.openclaw)
        hooks = configuration.hooks()
    except openclaw.ConfigurationError as error:
        yield bad("OpenClaw's settings", str(error))
        return
    yield ok("OpenClaw's settings", str(configuration.path))
    known = configuration.known_agents()
    for agent in agents:
        local = agent.openclaw_id
        if known is not None and local not in known:
            seen = f"has no agent {local}, which {agent.name} is said to be; it has "
            mend = f"bus agent change {agent.name} --local-agent ID, or add it to OpenClaw"
            yield bad("OpenClaw's agents", seen + ", ".join(sorted(known)), mend)
    if hooks.enabled and hooks.token:
        yield ok("hooks", f"enabled at {configuration.http_url}{hooks.path}")
    else:
        yield ok("hooks", "not enabled; needed only where the gateway's RPC does not work")


def _look_at_methods(settings: Settings, clock: Clock, agent: AgentSettings) -> Iterator[Finding]:
    probes = {name: METHODS[name](settings, clock).probe(agent) for name in OPENCLAW_METHODS}
    gateway = probes["gateway"]
    if gateway.works:
        yield ok("gateway", gateway.why)
    else:
        mend = f"openclaw gateway status; openclaw gateway restart; {WHERE_ELSE}"
        yield warn("gateway", gateway.why, mend)
    words = [f"{name} {'works' if one.works else 'does not'}" for name, one in probes.items()]
    state = ok if any(one.works for one in probes.values()) else bad
    yield state("wake methods", ", ".join(words))


def _look_at_agent(methods: Methods, agent: AgentSettings) -> Finding:
    label = f"agent {agent.name}"
    choice = methods.choose(agent)
    if not choice.works:
        return bad(label, choice.why, f"{program()} set {agent.name} method=NAME; {WHERE_ELSE}")
    seen = f"is woken by {choice.name}: {choice.why}"
    if choice.name in BLIND and name_meant(agent) == "auto":
        mend = "have OpenClaw's gateway run: it is seen then whether a turn began and how it ended"
        return warn(label, seen, mend)
    return ok(label, seen)


def _look_at_skill(settings: Settings, agent: AgentSettings, environ: Mapping[str, str]) -> Finding:
    place = skills.look(settings, agent, environ)
    if place.path and skills.is_outdated(settings, agent, place.path, environ):
        seen = f"{place.path} is of before: of another name, address or version"
        return warn(f"skill of {agent.name}", seen, f"{program()} install")
    if place.is_ready:
        return ok(f"skill of {agent.name}", f"ready: {place.path}")
    if not place.trouble and place.path and place.path.is_file():
        seen = f"written to {place.path}; {skills.NOT_SEEN}"
        return warn(f"skill of {agent.name}", seen, "look again in some minutes")
    seen = place.trouble or "OpenClaw does not have it: the agent cannot write to others by itself"
    return warn(f"skill of {agent.name}", seen, f"{program()} install")
