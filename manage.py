#!/usr/bin/env python
"""The command line of the site."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from council_site.env import EnvError


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "council_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except EnvError as error:
        # The sentence is for the operator; where it was raised helps nobody.
        sys.exit(str(error))
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database cannot be used. {str(error).strip()}\nCheck DATABASE_URL, and that the server runs.")


if __name__ == "__main__":
    main()
