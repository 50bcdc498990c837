"""A real kernel, in a process of its own."""

from __future__ import annotations

from jupyter_client import KernelManager

from tests.support.waiting import scaled


class RealKernel:
    """A kernel that is ready, and its client; tests add what they look at."""

    def __init__(self):
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=scaled(60))

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
