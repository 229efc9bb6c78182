"""python -m bench.retrieval.conversations OUT [--seed 7] [--users 20]: writes conversations with questions.

OUT gets BEIR's layout: some 390 messages and 15 questions a user; half of the users are of qrels/tune.tsv,
the other half of qrels/test.tsv, so each split has as many questions of each type, and nobody is in both.
"""

import argparse
from pathlib import Path

from bench.retrieval.conversations.writing import write_conversations

MOST_USERS = 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval.conversations", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write; made where it is missing")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--users", type=int, default=MOST_USERS, choices=range(2, MOST_USERS + 1), metavar="N"
    )
    arguments = parser.parse_args()
    messages, questions = write_conversations(arguments.out, seed=arguments.seed, users=arguments.users)
    print(f"{arguments.out}: {messages} messages, {questions} questions")


if __name__ == "__main__":
    main()
