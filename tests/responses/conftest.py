"""The provider that the tests of background responses share."""

from collections.abc import Iterator

import pytest

from responses.slow_provider import SlowProvider


@pytest.fixture
def slow() -> Iterator[SlowProvider]:
    provider = SlowProvider()
    yield provider
    provider.close()
