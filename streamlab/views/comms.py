"""The line to the browsers of a live widget: ipykernel's, with two rules of its own."""

from __future__ import annotations

import functools
from typing import Any

import anywidget
import ipywidgets

from streamlab.views.showing import in_a_kernel
from streamlab.views.unattended import attended

__all__ = ["LiveWidget"]


class LiveWidget(anywidget.AnyWidget):
    """A widget that is live while there are people, and leaves its snapshot to notebooks that a program executes."""

    comm: Any

    def open(self) -> None:
        """Open the line, in a kernel by our rules; ipywidgets calls this once."""
        if self.comm is not None or not in_a_kernel():
            super().open()
            return
        self.comm = _comm_class()(
            target_name="jupyter.widget",
            data={"state": self.get_state(), "buffer_paths": []},
            metadata={"version": ipywidgets.__protocol_version__},
        )


@functools.cache
def _comm_class() -> Any:
    """Return the class, made when a kernel is there."""
    from ipykernel.comm.comm import BaseComm

    class LiveComm(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any) -> None:
            """Send a message to the browsers. When nobody is there it belongs to no cell, and is not stored; see ``unattended``."""
            if attended():
                super().publish_msg(msg_type, data, metadata, buffers, **keys)  # type: ignore[no-untyped-call] # ipykernel's
                return
            kernel = _kernel()
            content = {"data": data or {}, "comm_id": self.comm_id, **keys}
            kernel.session.send(kernel.iopub_socket, msg_type, content, metadata=metadata, ident=self.topic, buffers=buffers)

        def _reply_subshell_for(self, data: object, default: Any) -> Any:
            """Have the kernel answer each message of browsers where it came from.

            ipykernel 7 routes what a browser sends to the subshell that the comm published from last: a frame sent from a
            thread of ours would make the browser's acknowledgement wait behind the running cell.
            """
            return default

    return LiveComm


def _kernel() -> Any:
    from ipykernel.kernelbase import Kernel

    return Kernel.instance()
