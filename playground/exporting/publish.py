"""Publishing: an adapter is pushed to the Hub, fetched again, and held against the one that was pushed."""

from collections.abc import Callable

from huggingface_hub import HfApi

from playground.adapters.hub import downloaded, push
from playground.adapters.record import AdapterRecord
from playground.backbones.loading import load_exact
from playground.errors import AdapterError
from playground.exporting.fresh import Verdict, compare
from playground.exporting.probes import probe_ids
from playground.exporting.reference import engine_outputs


def publish(
    record: AdapterRecord, repo_id: str, api: HfApi, say: Callable[[str], None], *, public: bool = False
) -> Verdict:
    """Pushes the adapter with its card, private unless `public`, and runs what can be fetched again.

    Raises:
        InputError: `repo_id` is no id of the Hub.
        AdapterError: see `playground.adapters.hub.push`; also when what is on the Hub is another adapter.
    """
    say(f"Pushing to {repo_id}")
    commit = push(record, repo_id, api, public=public)
    say("Fetching it again")
    with downloaded(repo_id, api, commit) as fetched:
        if fetched.files != record.files:
            raise AdapterError(f"'{repo_id}' holds other files than {record.title}; push it again.")
        say("Running the probe rows in the engine")
        backbone = load_exact(record.backbone["id"], lambda *_: None)
        ids = probe_ids(record, backbone.tokenizer)
        expected = engine_outputs(backbone, record, ids)
        say("Loading it with plain PEFT in a fresh process")
        verdict = compare("peft", fetched.path, ids, expected)
    if not verdict.is_same:
        raise AdapterError(f"What '{repo_id}' holds does not do what {record.title} does: {verdict}.")
    return verdict
