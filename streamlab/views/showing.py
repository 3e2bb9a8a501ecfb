"""What a cell shows of a stream or a table: the explorer where a browser can run it, else nothing of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlab.streams import Stream
    from streamlab.tables import Table
    from streamlab.take import Take
    from streamlab.views.explorer import Explorer

__all__ = ["display_stream", "display_table", "explore_batches", "in_a_kernel"]


def in_a_kernel() -> bool:
    """Tell whether this process is a Jupyter kernel, so that widgets have somebody to talk to."""
    kernels = sys.modules.get("ipykernel.kernelbase")
    return kernels is not None and bool(kernels.Kernel.initialized())


def display_stream(stream: Stream[Any]) -> None:
    """Show a stream alive; NotImplementedError, by which IPython shows text and HTML, where there is no kernel."""
    if not in_a_kernel() or stream.app.closed:
        raise NotImplementedError
    stream.explore()._ipython_display_()


def display_table(table: Table) -> None:
    """Show a table alive; NotImplementedError where there is no kernel, as for a stream."""
    if not in_a_kernel() or table.topic.app.closed:
        raise NotImplementedError
    from streamlab.views.tables import TableView

    TableView(table)._ipython_display_()


def explore_batches(take: Take[Any]) -> Explorer:
    """See ``Take.live``."""
    from streamlab.views.batches import LiveBatches
    from streamlab.views.explorer import Explorer

    return Explorer(take.stream, batches=LiveBatches(take))
