"""python -m bench.statements [--split test] [--show]: how well the patterns read what users say.

Prints precision and recall for each kind of message. The patterns were tuned on the split `tune` alone.
"""

import argparse

from bench.statements.judged import PLAIN, SPLITS, Read, Score, by_kind, judged_messages, read, score

_HEADER = f"{'kind':<14}{'messages':>9}{'right':>7}{'wrong':>7}{'missed':>8}{'precision':>11}{'recall':>8}"


def _row(name: str, one: Score) -> str:
    return (
        f"{name:<14}{one.messages:>9}{one.right:>7}{one.wrong:>7}{one.missed:>8}"
        f"{one.precision:>11.3f}{one.recall:>8.3f}"
    )


def _failure(one: Read) -> str:
    return f"{one.judged.kind}: {one.judged.message!r} wrong: {one.wrong} missed: {one.missed}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.statements", description=__doc__)
    parser.add_argument("--split", default="test", choices=SPLITS)
    parser.add_argument("--show", action="store_true", help="each message that was not read as it was judged")
    arguments = parser.parse_args()
    reads = [read(one) for one in judged_messages(arguments.split)]
    if arguments.show:
        for one in reads:
            if one.wrong or one.missed:
                print(_failure(one))
    print(_HEADER)
    for kind, of_kind in by_kind(reads).items():
        print(_row(kind, of_kind))
    print(_row("all plain", score([one for one in reads if one.judged.kind in PLAIN])))
    print(_row("all others", score([one for one in reads if one.judged.kind not in PLAIN])))
    print(_row("all", score(reads)))


if __name__ == "__main__":
    main()
