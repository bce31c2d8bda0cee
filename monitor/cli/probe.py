"""``monitor probe``: probe a server now, without recording the results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.app import App, format_utc, json_option, print_json
from monitor.cli.failure_hints import failure_hint
from monitor.clock import SystemClock
from monitor.errors import InputError
from monitor.model import Outcome
from monitor.probes.check_types import CHECK_TYPES
from monitor.probes.judgement import is_slow, slow_reason, warning_limit
from monitor.probes.probe import FIRST_BYTE, RECEIVE, SEND, TLS, RetryPolicy, Target, run_check
from monitor.probes.resources import open_resources

if TYPE_CHECKING:
    from monitor.model import Check, Server
    from monitor.probes.probe import Attempt, CheckRun


_STEP_MARKS = {SEND: ">", FIRST_BYTE: "<", RECEIVE: "<", TLS: "*"}
"""Marks for what was sent (>), received (<) and agreed by TLS (*), as in curl."""


@click.command()
@click.argument("server", metavar="SERVER")
@click.option("--check", "name", metavar="NAME", help="Only this check: ping, or a service's name.")
@json_option
@click.pass_obj
def probe(app: App, *, server: str, name: str | None, as_json: bool) -> int:
    """Probe a server now and show each attempt. Records nothing; exits with 1 unless all checks are ok."""
    known = app.valid_config.servers_by_id.get(server)
    if known is None:
        raise InputError(f"{server}: no such server in the configuration; `monitor status` lists them")
    checks = [check for check in known.checks if name in (None, check.key.name)]
    if not checks:
        names = ", ".join(check.key.name for check in known.checks) or "none: level 1 is not monitored (8.1)"
        raise InputError(f"{server}: no check {name or ''}; its checks are {names}".replace("  ", " "))
    settings = app.valid_config.monitor
    policy = RetryPolicy(settings.timeout / 1000, settings.retries, settings.retry_wait / 1000)
    runs = asyncio.run(_run_checks(known, checks, policy))
    if as_json:
        records = [_check_json(known, *pair) for pair in zip(checks, runs, strict=True)]
        print_json({"server": server, "checks": records})
    else:
        for check, run in zip(checks, runs, strict=True):
            _print_check(known, check, run)
    return 0 if all(run.outcome is Outcome.OK for run in runs) else 1


async def _run_checks(server: Server, checks: list[Check], policy: RetryPolicy) -> list[CheckRun]:
    clock = SystemClock()
    async with open_resources(clock) as resources:
        probes = [CHECK_TYPES[check.type].build(check.settings, resources) for check in checks]
        target = Target(server.address)
        return await asyncio.gather(
            *(
                run_check(probe, target, policy.for_check(check.settings), clock)
                for check, probe in zip(checks, probes, strict=True)
            )
        )


def _endpoint(server: Server, check: Check) -> str:
    return CHECK_TYPES[check.type].target_text(check.settings, server.address)


def _check_json(server: Server, check: Check, run: CheckRun) -> dict[str, Any]:
    last = run.attempts[-1]
    return {
        "check": check.key.name,
        "type": check.type,
        "where": _endpoint(server, check),
        "outcome": run.outcome.name.lower(),
        "latency_seconds": _latency_seconds(last),
        "reason": last.reason,
        "hint": failure_hint(last.reason) or None,
        "warning": _slow_warning(check, last),
        "certificate": _certificate_json(last),
        "attempts": [
            {
                "outcome": attempt.outcome.name.lower(),
                "latency_seconds": _latency_seconds(attempt),
                "reason": attempt.reason,
                "steps": [
                    {"name": step.name, "seconds": step.microseconds / 1_000_000, "text": step.text}
                    for step in attempt.steps
                ],
            }
            for attempt in run.attempts
        ],
    }


def _certificate_json(attempt: Attempt) -> dict[str, Any] | None:
    seen = attempt.certificate
    if seen is None:
        return None
    return {
        "fingerprint": seen.fingerprint,
        "expiry": format_utc(seen.expiry * 1000),
        "earliest_expiry": format_utc(seen.earliest_expiry * 1000),
    }


def _slow_warning(check: Check, attempt: Attempt) -> str | None:
    """Return the warning about an answer that is ok but slow; None if there is none."""
    limit = warning_limit(check.settings)
    return slow_reason(limit) if limit is not None and is_slow(attempt.latency_us, limit) else None


def _latency_seconds(attempt: Attempt) -> float | None:
    return None if attempt.latency_us is None else attempt.latency_us / 1_000_000


def _print_check(server: Server, check: Check, run: CheckRun) -> None:
    click.echo(f"{check.key} ({check.type}) {_endpoint(server, check)}: {run.outcome.name.lower()}")
    for number, attempt in enumerate(run.attempts, 1):
        total = sum(step.microseconds for step in attempt.steps)
        passed = f"after {total / 1000:.3f}" if attempt.latency_us is None else f"in {attempt.latency_us / 1000:.3f}"
        click.echo(f"  attempt {number}: {attempt.reason or 'ok'} {passed} ms")
        for step in attempt.steps:
            first, *more = step.text.splitlines() or [""]
            mark = _STEP_MARKS.get(step.name, " ")
            click.echo(f"    {step.name:<10} {step.microseconds / 1000:>9.3f} ms {mark} {first}".rstrip())
            for line in more:
                click.echo(f"{'':<27} {mark} {line}".rstrip())
    if warning := _slow_warning(check, run.attempts[-1]):
        click.echo(f"  warning: {warning}")
    if advice := failure_hint(run.attempts[-1].reason):
        click.echo(f"  {advice}")
