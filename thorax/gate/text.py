"""The gate's judgements for a terminal, for a page and for a program."""

from dataclasses import asdict

from thorax.gate.rule import FAIL, INCONCLUSIVE, NOT_COMPARABLE, Check, Judgement
from thorax.recipe import Gate

HEAD = ["metric", "baseline", "candidate", "difference", "lower bound", "p", "margin", "verdict"]
MARKS = {FAIL: "❌", NOT_COMPARABLE: "❌", INCONCLUSIVE: "⚠️"}


def terminal(verdict: str, judgements: list[Judgement], settings: Gate, against: str) -> str:
    """Every run with its verdict and reason, and its checks as a table."""
    lines = [f"gate: candidate against {against}", ""]
    for judgement in judgements:
        lines.append(f"{heading(judgement)}: {judgement.verdict}: {judgement.reason}")
        lines += aligned([HEAD, *(cells(check) for check in judgement.checks)]) if judgement.checks else []
    return "\n".join([*lines, "", *closing(judgements, settings), f"gate: {verdict}"])


def markdown(verdict: str, judgements: list[Judgement], settings: Gate, against: str) -> str:
    """The same for a CI summary or a comment, with the tables folded away."""
    lines = [f"### Regression gate: {MARKS.get(verdict, '✅')} {verdict}", "", f"Candidate against {escaped(against)}.",
             "", "| run | verdict | why |", "|---|---|---|"]
    lines += [f"| {judgement.run or 'run'} | {MARKS.get(judgement.verdict, '✅')} {judgement.verdict} | "
              f"{escaped(judgement.reason)} |" for judgement in judgements]
    for judgement in judgements:
        if judgement.checks:
            lines += ["", f"<details><summary>{heading(judgement)}</summary>", "",
                      f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|",
                      *(f"| {' | '.join(cells(check))} |" for check in judgement.checks), "", "</details>"]
    return "\n".join([*lines, "", *(escaped(line) for line in closing(judgements, settings))]) + "\n"


def document(verdict: str, status: int, judgements: list[Judgement], settings: Gate, against: str) -> dict:
    """All of it, JSON-ready: what is not defined is null."""
    return {"verdict": verdict, "exit_status": status, "baseline": against,
            "settings": settings.model_dump(exclude={"accepted"}),
            "runs": [asdict(judgement) for judgement in judgements]}


def heading(judgement: Judgement) -> str:
    size = f" ({judgement.films} test films in {judgement.groups} groups)" if judgement.films else ""
    return f"{judgement.run or 'run'}{size}"


def cells(check: Check) -> list[str]:
    # A recall can fail the run and not pass it, so that "too few films to tell" is no news for it.
    verdict = "no FAIL" if check.metric.startswith("recall") and check.verdict == INCONCLUSIVE else check.verdict
    numbers = [check.baseline, check.candidate]
    return [check.metric, *("-" if number is None else f"{number:.3f}" for number in numbers),
            *("-" if number is None else f"{number:+.3f}" for number in (check.difference, check.bound)),
            "-" if check.p is None else f"{check.p:.2g}", f"{check.margin:g}", verdict]


def closing(judgements: list[Judgement], settings: Gate) -> list[str]:
    """How to read it, and how to accept what is wanted all the same."""
    lines = []
    if any(judgement.checks for judgement in judgements):
        lines = [f"lower bound: one-sided, {settings.level:.0%}, of the difference. FAIL: p < {1 - settings.level:.2g} "
                 "and a drop larger than the margin. PASS: lower bound above -margin."]
    refused = [judgement for judgement in judgements if judgement.verdict in (FAIL, NOT_COMPARABLE)]
    if refused:
        lines += ["If this is wanted, say why in params.yaml, below gate: accepted:"]
        lines += [f'  {judgement.key}: "<the reason>"' for judgement in refused]
    return lines


def aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  " + "  ".join([row[0].ljust(widths[0]), *(text.rjust(width) for text, width
                              in zip(row[1:], widths[1:], strict=True))]) for row in rows]


def escaped(text: str) -> str:
    """Text in a Markdown table: no line break, bar or tag of its own."""
    return text.replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")
