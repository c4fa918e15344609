"""How much one visitor brings into the folder of files that all people share: uploads, exports, datasets of the Hub."""

import threading
import time
from dataclasses import dataclass, field

from playground import access
from playground.training.quota import check_files

DAY_S = 24 * 3600


@dataclass
class Share:
    """What one upload or export takes."""

    whose: str
    size_bytes: int = 0
    moment: float = field(default_factory=time.monotonic)


_shares: list[Share] = []
_lock = threading.Lock()


def taken(size_bytes: int = 0, address: str = "") -> Share:
    """A share of so many bytes for the present person; it counts for a day, and may grow or shrink.

    Args:
        address: tells those apart who have no cookie.

    Raises:
        QuotaError: it is more than they may still have.
    """
    share = Share(access.current().key or address)
    grow(share, size_bytes)
    with _lock:
        _shares.append(share)
    return share


def grow(share: Share, size_bytes: int) -> None:
    """Lets the `share` of the present person have so many bytes.

    Raises:
        QuotaError: it is more than they may still have; the share stays as it was.
    """
    now = time.monotonic()
    with _lock:
        _shares[:] = [one for one in _shares if now - one.moment < DAY_S]
        others_bytes = sum(one.size_bytes for one in _shares if one.whose == share.whose and one is not share)
    check_files(others_bytes, size_bytes)
    share.size_bytes = size_bytes
