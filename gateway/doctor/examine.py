"""The walk over the checks: ask, see whose answer it was, and say what that means."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from gateway.doctor import answers
from gateway.doctor.answers import Kind
from gateway.doctor.checks import CHECKS, Check
from gateway.doctor.words import (
    Answer,
    Answers,
    Ask,
    Change,
    Finding,
    Found,
    Mistake,
    Patient,
    Remark,
    Silence,
    Unclear,
    Verdict,
)


class Examined(NamedTuple):
    """Every finding, and which proxy it is, if that could be seen."""

    findings: list[Finding]
    proxy: str

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong. What could not be told is no mistake that was found."""
        return all(finding.verdict is not Verdict.WRONG for finding in self.findings)


async def examine(patient: Patient, ask: Ask) -> Examined:
    """Make every check that this page has."""
    findings: dict[str, Finding] = {}
    heard: list[Answer | Silence] = []
    for check in CHECKS:
        blocked = [name for name in check.needs if name in findings and findings[name].verdict is not Verdict.OK]
        sends = check.sends(patient)
        if blocked:
            findings[check.name] = _finding(check, Unclear(f'"{findings[blocked[0]].says}" has to hold first'))
        elif isinstance(sends, str):
            findings[check.name] = _finding(check, Unclear(sends))
        elif sends:
            came = [await ask(sent) for sent in sends]
            heard += came
            findings[check.name] = _finding(check, _judge(check, patient, came))
    return Examined(list(findings.values()), answers.proxy(heard))


def _judge(check: Check, patient: Patient, came: Answers) -> Found:
    """The first wrong answer counts; then the first that says nothing; then what a closer look finds."""
    kinds = [answers.kind(answer) for answer in came]
    for kind in kinds:
        if kind in check.wrong:
            return check.wrong[kind]
    for kind, answer in zip(kinds, came, strict=True):
        if kind not in check.right:
            return Unclear(_unexpected(kind, answer))
    return check.look(patient, came) if check.look else None


def _unexpected(kind: Kind, answer: Answer | Silence) -> str:
    if isinstance(answer, Silence):
        return answer.reason
    if kind in (Kind.TOLD, Kind.SENT):
        return "the gateway asked for a sign-in instead, so what was shown to it did not reach it or is not of its keys"
    return f"the answer was {answer.status}{f' ({said})' if (said := answers.code(answer)) else ''}"


def _finding(check: Check, found: Found) -> Finding:
    match found:
        case None:
            return Finding(check.name, check.says, Verdict.OK)
        case Mistake(means, Change(by_proxy)):
            return Finding(check.name, check.says, Verdict.WRONG, means, by_proxy)
        case Remark(means):
            return Finding(check.name, check.says, Verdict.REMARK, means)
        case Unclear(means):
            return Finding(check.name, check.says, Verdict.UNKNOWN, means)
        case _:
            assert_never(found)
