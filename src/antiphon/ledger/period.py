"""Reads spans of time, moments and time zones as people write them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

US = 1_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d{1,9})([smhdw])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_span(text: str) -> int | None:
    """Return ``30d``, ``12h``, ``45m``, ``90s`` or ``2w`` as seconds; ``None`` if ``text`` has another form."""
    match = _SPAN.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def parse_time(text: str, zone: tzinfo, now_us: int, direction: int) -> int:
    """Return a moment as microseconds since the epoch.

    ``text`` is a span from ``now_us`` (backwards if ``direction`` is -1, forwards if it is 1), a date (its midnight in
    ``zone``) or an ISO 8601 date and time. Raises ``ValueError`` that says what was expected.
    """
    span = parse_span(text)
    try:
        if span is not None:
            moment = from_us(now_us + direction * span * US, UTC)
        else:
            moment = datetime.fromisoformat(text.strip())
        return to_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is not a time; expected a span such as 30d or 12h, a date such as 2026-11-20, or a date and "
            "time such as 2026-11-20T08:00:00+01:00"
        ) from None


def parse_zone(name: str) -> tzinfo:
    """Return a time zone by its name, such as ``Europe/Berlin``; raises ``ValueError``."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"{name!r} is not a time zone; expected a name such as UTC or Europe/Berlin") from None


def to_us(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(time: int, zone: tzinfo) -> datetime:
    """Return microseconds since the epoch as a datetime in a zone, exactly."""
    return (_EPOCH + timedelta(microseconds=time)).astimezone(zone)
