"""A document's validity as the days that people give and read. Pure; days are those of the machine's zone."""

from __future__ import annotations

from datetime import datetime, time, timedelta


def first_day(moment: str | None) -> str:
    """From when a document answers: a day, or a day with a time; empty without a bound."""
    return _written(datetime.fromisoformat(moment).astimezone(), days=0) if moment else ""


def last_day(moment: str | None) -> str:
    """The last day on which a document answers: a bound at midnight ends the day before."""
    return _written(datetime.fromisoformat(moment).astimezone(), days=-1) if moment else ""


def _written(moment: datetime, days: int) -> str:
    if moment.time() == time():
        return (moment.date() + timedelta(days=days)).isoformat()
    return moment.replace(tzinfo=None).isoformat(timespec="minutes")
