"""A provider's error answers, as errors of ours that keep what the provider said."""

from email.utils import parsedate_to_datetime

from antiphon.clock import read_time_us
from antiphon.engine.response_headers import filter_forwardable, find_header
from antiphon.errors import BadAnswer, RateLimited, UpstreamError, UpstreamStatus
from antiphon.transport import Response
from antiphon.wires.wire import Wire

ERROR_LIMIT = 1024 * 1024
RETRY_AFTER_LIMIT = 3600.0


async def make_error_from_response(response: Response, wire: Wire, verbatim: bool) -> UpstreamError:
    """Return the error for an answer whose status says that it is none.

    Its body reaches the caller only where both speak one wire; otherwise its message does.
    """
    status, headers = response.status, response.headers
    if status < 400:
        return BadAnswer(f"The provider answered with status {status}, which is no answer; redirects are not followed.")
    body = await response.read(ERROR_LIMIT)
    kind = RateLimited if status == 429 else UpstreamStatus
    message = f"The provider answered with status {status}: {wire.read_error_message(body)}"
    return kind(
        message,
        status=status,
        body=body if verbatim else b"",
        headers=filter_forwardable(headers, wire, verbatim),
        retry_after=parse_retry_after(find_header(headers, b"retry-after")),
    )


def parse_retry_after(value: bytes) -> float | None:
    """Return the seconds of a ``Retry-After`` value (RFC 9110 section 10.2.3), or ``None`` where it has none.

    A date in the past is 0; anything beyond an hour is an hour.
    """
    text = value.decode("latin-1").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else _count_seconds_until(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT)


def _count_seconds_until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - read_time_us() / 1_000_000
