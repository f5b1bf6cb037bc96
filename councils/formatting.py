"""How times, money and counts are written, in pages, the admin and the terminal alike, in the reader's language.

What is unknown says so: it is never shown as zero.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.utils import formats, timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

SMALLEST_SHOWN_USD = Decimal("0.0001")
SECOND_MS = 1_000
TENTHS_BELOW_MS = 9_950
MINUTE_MS = 60_000


def number(value: int | None) -> str:
    """A count with its thousands apart."""
    return figure(value, 0)


def counted(value: int, one: str) -> str:
    """A count with its English noun, for staff: ``1 run``, ``2 runs``. Pages have sentences of their own for that."""
    return f"{number(value)} {one}{'' if value == 1 else 's'}"


def figure(value: float | Decimal | None, digits: int = 2) -> str:
    """A number with a fixed count of decimals."""
    if value is None:
        return _("unknown")
    return formats.number_format(Decimal(f"{value:.{digits}f}"), decimal_pos=digits, force_grouping=True)


def percent(share: float) -> str:
    """A share of one as a percentage."""
    return _("%(number)s %%") % {"number": figure(float(share) * 100, 0)}


def usd(amount: Decimal | None) -> str:
    """Money for people: ``0.0120 USD``, ``1.50 USD``; a cost is never hidden behind a zero."""
    if amount is None:
        return _("unknown")
    if 0 < abs(amount) < SMALLEST_SHOWN_USD:
        return _("under %(amount)s USD") % {"amount": figure(SMALLEST_SHOWN_USD, 4)}
    return _("%(amount)s USD") % {"amount": figure(amount, 0 if amount == 0 else 2 if abs(amount) >= 1 else 4)}


def plain(amount: Decimal) -> str:
    """A number as people type it, in any language: ``0.000944``, ``0``, never ``0E-8``."""
    return f"{amount.normalize():f}"


def exact_usd(amount: Decimal | None) -> str:
    """Money for ledgers and prices, to its last digit: ``0.000944 USD``."""
    if amount is None:
        return _("unknown")
    digits = len(plain(amount).partition(".")[2])
    return _("%(amount)s USD") % {"amount": figure(amount, digits)}


def duration(value: timedelta | float | None) -> str:
    """A time span, given as such or in milliseconds: ``640 ms``, ``8.1 s``, ``31 s``, ``2 min 05 s``."""
    if value is None:
        return _("unknown")
    ms = max(value.total_seconds() * 1000 if isinstance(value, timedelta) else float(value), 0)
    if round(ms) < SECOND_MS:
        return _("%(number)s ms") % {"number": figure(ms, 0)}
    if ms < MINUTE_MS - 500:
        return _("%(number)s s") % {"number": figure(ms / 1000, 1 if ms < TENTHS_BELOW_MS else 0)}
    minutes, seconds = divmod(round(ms / 1000), 60)
    return _("%(minutes)s min %(seconds)02d s") % {"minutes": number(minutes), "seconds": seconds}


def clock(value: timedelta) -> str:
    """A running time as a clock shows it: ``00:18``, ``1:02:03``."""
    minutes, seconds = divmod(max(int(value.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def ago(value: datetime) -> str:
    """How long ago, in its largest unit."""
    if timezone.now() - value < timedelta(minutes=1):
        return _("just now")
    return _("%(span)s ago") % {"span": timesince(value, depth=1)}


def moment(value: datetime) -> str:
    """A point in time with its zone; on pages a script turns it into the reader's own."""
    return _("%(moment)s UTC") % {"moment": formats.date_format(value.astimezone(UTC), "DATETIME_FORMAT")}
