"""The raw driver: the client end that judges a server under test.

Knows how to open a recorded stream to an endpoint. Must not know any protocol,
and uses no client library, so that no bug of one hides itself.
"""

from __future__ import annotations

from lab.wire.endpoint import Endpoint
from lab.wire.segmentation import Segmentation, whole
from lab.wire.stream import RecordedStream
from lab.wire.transcript import Transcript


def connect(
    endpoint: Endpoint,
    *,
    transcript: Transcript | None = None,
    segmentation: Segmentation = whole,
    timeout: float = 10.0,
) -> RecordedStream:
    """Open a recorded stream to a server.

    Raises:
        OSError: the server could not be reached.
    """
    record = transcript if transcript is not None else Transcript("driver", str(endpoint))
    stream = RecordedStream(
        endpoint.connect(timeout), record, "client", timeout=timeout, segmentation=segmentation
    )
    record.record("client", "open", str(endpoint).encode())
    return stream
