"""Times as people and platforms write them; without a zone they are local."""
from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone

DAY = timedelta(days=1)
LAST_SECONDS = datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp()
END_OF_DAY = timedelta(hours=23, minutes=59, seconds=59)


def parse_time(text: str) -> datetime:
    """Reads ISO 8601 (2026-11-29, 2026-11-29T18:00, 2026-11-29 18:00:00+09:00, ...Z); a date alone
    means the end of that day. ValueError if it is no time."""
    text = text.strip()
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return with_zone(datetime.fromisoformat(text) + END_OF_DAY)
    text = re.sub(r" ?(?:Z|UTC)$", "+00:00", text)
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    text = re.sub(r" ([+-]\d\d):?(\d\d)$", r"\1:\2", text)
    return with_zone(datetime.fromisoformat(text))


def with_zone(time: datetime) -> datetime:
    """Returns the time with a zone: the local one if it had none."""
    return time if time.tzinfo else time.astimezone()


def from_seconds(seconds: float) -> datetime:
    """Returns the time that a file system or git counts in seconds: any number, which may be a
    student's. What no calendar has is as early or late as can be."""
    return datetime.fromtimestamp(min(max(seconds, 0), LAST_SECONDS), timezone.utc)


def late_days(time: datetime, deadline: datetime) -> int:
    """Returns how many days late something is; each that has begun counts."""
    return max(0, math.ceil((time - deadline) / DAY))


def iso(time: datetime | None) -> str:
    """Returns the time as ISO 8601 with a zone; "" for None."""
    return with_zone(time).isoformat(timespec="seconds") if time else ""
