"""Recompute the accounts of all budgets from the ledger and say where they differ."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from councils.models import BudgetAccount
from councils.services.reconciling import differences


class Command(BaseCommand):
    help = "Recompute what budgets have spent and hold from the ledger. Fails where an account says something else."

    def handle(self, *args: Any, **options: Any) -> None:
        found = differences()
        for difference in found:
            self.stdout.write(str(difference))
        if found:
            raise CommandError(f"{len(found)} of {BudgetAccount.objects.count()} accounts differ from the ledger.")
        self.stdout.write(f"All {BudgetAccount.objects.count()} accounts agree with the ledger.")
