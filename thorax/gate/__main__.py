"""python -m thorax.gate [BASELINE CANDIDATE]: see docs/gate.md."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from thorax.errors import ThoraxError
from thorax.gate import baseline, text
from thorax.gate.runs import judge_all, runs_in, status
from thorax.reader import load_params

EPILOG = """exit status: 0 PASS or INCONCLUSIVE, 1 FAIL, 2 NOT COMPARABLE or wrong use, 3 INCONCLUSIVE under --strict.
Margins, level and accepted regressions stand in params.yaml, section gate."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m thorax.gate", epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Fail if predictions are worse than those of a baseline. Places are a "
                                     "predictions.csv, the folder of a run, or models/; without them the working tree "
                                     "is compared with the main branch.")
    parser.add_argument("places", nargs="*", metavar="BASELINE CANDIDATE", type=Path)
    parser.add_argument("--since", metavar="COMMIT", help="compare the working tree with this commit instead")
    parser.add_argument("--strict", action="store_true", help="INCONCLUSIVE is not good enough")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all numbers")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write a summary for a page")
    given = parser.parse_args(arguments)
    if len(given.places) not in (0, 2) or (given.places and given.since):
        parser.error("give BASELINE and CANDIDATE, or neither (then --since may name a commit)")
    try:
        return gate(given)
    except ThoraxError as error:
        for line in str(error).splitlines():
            print(f"gate: error: {line}", file=sys.stderr)
        return 2


def gate(given: argparse.Namespace) -> int:
    params = load_params()
    with tempfile.TemporaryDirectory() as folder:
        if given.places:
            before, after = given.places
            against = str(before)
            if not runs_in(before):
                raise ThoraxError(f"{before}: no predictions.csv there or below <study>/<model>/evaluation; name a "
                                  "file, the folder of a run or of the models")
        else:
            commit, why = baseline.find(given.since)
            before, after = Path(folder), Path()
            if commit:
                baseline.extract(commit, before)
            against = f"{baseline.subject(commit)} ({why})" if commit else f"nothing ({why})"
        judgements = judge_all(before, after, params.gate, params.seed)
    verdict, code = status(judgements, given.strict)
    print(text.terminal(verdict, judgements, params.gate, against))
    if given.json:
        content = text.document(verdict, code, judgements, params.gate, against)
        given.json.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(text.markdown(verdict, judgements, params.gate, against), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
