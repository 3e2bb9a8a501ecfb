"""How several workers of pytest-xdist share the tests among them."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling


class ByWhatTheyShare(LoadScopeScheduling):  # type: ignore[misc] # xdist comes without types
    """Gives a worker the tests of a file together, and one worker all that use a browser.

    Each worker has a Kafka node, a JupyterLab and ports of its own. Two browsers at once would leave no core to the rest.
    """

    def __init__(self, config: Any, log: Any) -> None:
        config.option.loadscopereorder = False  # long before many
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/browser" if file.startswith("tests/browser/") else file
