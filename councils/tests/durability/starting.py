"""Ask a council again and again, from a process of its own: prints how many questions were started and how many a budget refused.

python -m councils.tests.durability.starting USERNAME SLUG TIMES
"""

import sys
import threading
from collections import Counter

import django

if __name__ == "__main__":
    # Django's applications must be ready before any of its models is imported.
    django.setup()

from django.db import OperationalError, connection

from councils.models import CouncilConfiguration, User
from councils.services.asking import ask_council
from councils.services.errors import BudgetExceeded

THREADS = 10


def ask_often(user: User, council: CouncilConfiguration, times: int) -> Counter[str]:
    """Ask so many times, one after the other."""
    outcomes: Counter[str] = Counter()
    for _ in range(times):
        try:
            ask_council(by=user, council=council, question="Which is best?")
            outcomes["started"] += 1
        except BudgetExceeded:
            outcomes["refused"] += 1
        except OperationalError as error:
            outcomes[f"fault: {error}"] += 1
    return outcomes


def ask_at_once(user: User, council: CouncilConfiguration, times: int) -> Counter[str]:
    """The same from several threads that begin together."""
    gate, total, adding = threading.Barrier(THREADS), Counter[str](), threading.Lock()

    def one() -> None:
        gate.wait()
        try:
            outcomes = ask_often(user, council, times // THREADS)
            with adding:
                total.update(outcomes)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total


def main() -> None:
    username, slug, times = sys.argv[1:]
    found = ask_at_once(User.objects.get(username=username), CouncilConfiguration.objects.get(slug=slug), int(times))
    for outcome, count in found.items():
        sys.stdout.write(f"{count} {outcome}\n")


if __name__ == "__main__":
    main()
