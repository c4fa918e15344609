"""Whether an adapter on disk still says what it said when it was made."""

from collections.abc import Callable

from playground.adapters import store
from playground.adapters.record import AdapterRecord
from playground.errors import AdapterError
from playground.exporting.fresh import Verdict, compare


def must_say_the_same(record: AdapterRecord, say: Callable[[str], None]) -> Verdict:
    """What `verify_outputs` finds; an imported adapter is checked then.

    Raises:
        AdapterError: as `verify_outputs` does, also when the outputs are others.
    """
    verdict = verify_outputs(record, say)
    if not verdict.is_same:
        raise AdapterError(f"{record.title} does not say what it should: {verdict}; train or import it again.")
    store.mark_checked(record)
    return verdict


def verify_outputs(record: AdapterRecord, say: Callable[[str], None]) -> Verdict:
    """Loads the adapter in a fresh process and compares its outputs on probe rows.

    They are compared with those that its training left in the record; where it left none, plain PEFT is compared with
    this program's engine.

    Args:
        say: receives a short sentence for each step.

    Raises:
        AdapterError: its files are not sound, or it can't be loaded.
        BackboneError: its backbone is not there.
    """
    store.verify(record)
    probe = record.probe
    if probe:
        say("Loading it in a fresh process")
        setting = {"quantization": probe["quantization"], "dtype": probe["dtype"]}
        formats = (probe["dtype"] if probe["quantization"] == "none" else probe["quantization"],)
        return compare("adapter", record.path, probe["ids"], probe["outputs"], formats=formats, setting=setting)
    # torch takes seconds to import, which only this way needs.
    from playground.backbones.loading import load_exact
    from playground.exporting.probes import probe_ids
    from playground.exporting.reference import engine_outputs

    say("Running the probe rows in the engine")
    backbone = load_exact(record.backbone["id"], lambda *_: None)
    ids = probe_ids(record, backbone.tokenizer)
    expected = engine_outputs(backbone, record, ids)
    del backbone
    say("Loading it with plain PEFT in a fresh process")
    return compare("peft", record.path, ids, expected)
