"""Each test of this folder that asks for a ``stand`` is run once for each proxy."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from databases import Cluster
from proxies import FAN
from proxies.stand import Stand
from proxies.stand import stand as standing


@pytest.fixture(scope="package", params=FAN, ids=[member.NAME for member in FAN])
def stand(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Stand]:
    """A proxy with everything around it; shared by the tests of one proxy, so leave it as it was."""
    proxy: ModuleType = request.param
    if why := proxy.missing():
        pytest.skip(why)
    with standing(proxy, cluster) as started:
        yield started
