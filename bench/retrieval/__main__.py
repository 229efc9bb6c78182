"""python -m bench.retrieval PATH [--split test]: how much of the evidence each way of searching finds.

PATH holds a question set in BEIR's layout. Prints a table and writes bench/retrieval/results.json. With
--ablation it prints what each signal of the ranking is worth instead, and writes nothing.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

import uvloop

from bench.retrieval.ablation import ablation
from bench.retrieval.embedding import opened_bench_embedder
from bench.retrieval.exact import Exact
from bench.retrieval.pandora import opened
from bench.retrieval.scores import RESULTS, Measured, figures_of, measure, scores_table, types_table
from bench.retrieval.sets import NoSet, QuestionSet, read_set
from bench.retrieval.ways import Bm25, Dense, ReciprocalRanks, Way
from bench.running.figures import write_results
from services.indexer.embedding.embedder import Embedder


def ways(embedder: Embedder, over_stores: Sequence[Way]) -> Sequence[Way]:
    """A better way of searching is added here."""
    return [
        Dense(embedder),
        Bm25(),
        ReciprocalRanks(Dense(embedder), Bm25(), k=60),
        Exact(embedder),
        *over_stores,
    ]


async def _measure(questions: QuestionSet, folder: Path) -> list[Measured]:
    async with opened(folder) as (embedder, over_stores):
        return [await measure(way, questions) for way in ways(embedder, over_stores)]


async def _ablation(questions: QuestionSet) -> str:
    async with opened_bench_embedder() as embedder:
        return await ablation(questions, embedder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder with corpus, queries and qrels")
    parser.add_argument("--split", default="test", help="which of qrels/*.tsv (default: test)")
    parser.add_argument("--dry", action="store_true", help="print only; results.json stays as it is")
    parser.add_argument("--ablation", action="store_true", help="each signal of the ranking, off and alone")
    arguments = parser.parse_args()
    try:
        questions = read_set(arguments.path, arguments.split)
    except NoSet as missing:
        print(f"skipped: {missing}")
        return

    print(f"{questions.name}, {questions.split}: {len(questions.queries)} queries, ", end="")
    print(f"{len(questions.corpus)} documents; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    # Away from the checkout: its `.env` is not for the bench.
    with tempfile.TemporaryDirectory(prefix="pandora-bench-") as folder, chdir(folder):
        if arguments.ablation:
            print(f"\n{uvloop.run(_ablation(questions))}")
            return
        measured = uvloop.run(_measure(questions, Path(folder)))
    print(f"\n{scores_table(measured)}")
    if by_type := types_table(measured):
        print(f"\n{by_type}")
    if not arguments.dry:
        write_results(figures_of(questions, measured), RESULTS)


if __name__ == "__main__":
    main()
