"""Names of persons in the rows of a run: masked before anything is learnt from them, where that was chosen."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from playground.backbones.loading import automatic_quantization, load
from playground.backbones.release import release
from playground.data.fixes import NAMES
from playground.data.names import NameFinder, mask_names, sample_names
from playground.engine.engine import Engine
from playground.engine.names import name_finder
from playground.errors import InputError
from playground.training.config import RunConfig
from playground.types import Progress, Row

Mask = Callable[[Sequence[Row]], list[Row]]


@contextmanager
def masking(config: RunConfig, progress: Progress | None) -> Iterator[Mask]:
    """Inside, rows of the run can be masked; where that was not chosen, or nobody waits for it, they stay as they are.

    The backbone is loaded for it, and given back at the end.

    Raises:
        InputError: no adapter for entities fits the backbone.
        BackboneError: it can't be loaded.
    """
    if NAMES not in config.fixes or progress is None:
        yield list
        return
    with _finder(config.backbone, progress) as finder:
        yield lambda rows: mask_names(config.task, rows, finder, progress)


def masking_s(config: RunConfig, rows: Sequence[Row]) -> float:
    """Seconds that masking the names in `rows` would take, from some of them; 0 where that was not chosen.

    Raises:
        InputError: no adapter for entities fits the backbone.
        BackboneError: it can't be loaded.
    """
    if NAMES not in config.fixes:
        return 0.0
    with _finder(config.backbone, lambda *_: None) as finder:
        return sample_names(config.task, rows, finder).all_rows_s


@contextmanager
def _finder(backbone: str, progress: Progress) -> Iterator[NameFinder]:
    engine = Engine(load(backbone, automatic_quantization(), progress))
    try:
        finder = name_finder(engine)
        if finder is None:
            raise InputError(
                f"Names can't be masked: no adapter for entities with the label PER fits the backbone '{backbone}'. "
                f"Leave '{NAMES}' out, or train such an adapter first."
            )
        yield finder
    finally:
        engine.close()
        finder = None
        del engine
        release()
