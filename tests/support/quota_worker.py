"""A process that issues and settles commissions until it is killed; `run` kills it again and again.

`python -m tests.support.quota_worker NAME DEATHS JOURNAL` works on the database of SYNNEFO_DATABASE_URL. The journal
tells a new life which request its predecessor was busy with, as an operation row tells a service.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import django

KEYS = [("user:a", "project:p", "vm"), ("project:p", "", "vm"), ("user:b", "project:p", "vm")]


def live(name: str, journal: Path) -> None:
    """One life: repeat the last request, then go on."""
    from synnefo.astakos.quotaholder import services as ledger
    from synnefo.common.errors import QuotaExceeded

    number = int(journal.read_text()) if journal.exists() else 0
    while True:
        _note(journal, number)
        random.seed(f"{name}-{number}")  # the repetition must be the same request
        sign, auto_accept = random.choice([1, 1, -1]), random.random() < 0.3
        charges = [ledger.Charge(*key, sign * random.randint(1, 3)) for key in random.sample(KEYS, 2)]
        random.seed()
        try:
            serial = ledger.issue(name, charges, auto_accept=auto_accept, request_id=f"{name}-{number}")
            if not auto_accept and random.random() < 0.8:
                ledger.resolve(name, **{random.choice(["accept", "reject"]): [serial]})
        except QuotaExceeded:
            for info in ledger.pending(name)[:5]:
                ledger.resolve(name, accept=[info.serial])
        number += 1


def _note(journal: Path, number: int) -> None:
    """In one step: death between two writes must not leave an empty journal."""
    draft = journal.with_suffix(".draft")
    draft.write_text(str(number))
    draft.replace(journal)


def run(name: str, deaths: int, journal: Path) -> None:
    """Start `live` in a child and kill it after a random time, `deaths` times."""
    for _ in range(deaths):
        child = os.fork()
        if child == 0:
            try:
                live(name, journal)
            except BaseException as error:  # noqa: BLE001 - the child must not fall out of this loop into the parent's code
                sys.stderr.write(f"{error!r}\n")
                os._exit(1)
        time.sleep(random.uniform(0.03, 0.25))  # the moment of death is the point
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"{name} ended by itself with {status}")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
    django.setup()
    run(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
