"""A host that lends its GPU only to forked calls, played by a `spaces` of our own that really forks and pickles."""

import multiprocessing
import os
import pickle
import sys
from types import SimpleNamespace

import pytest
import torch

from playground.engine.predict import predict_many, predict_stream
from playground.engine.zerogpu import VARIABLE, on_gpu
from playground.tasks import get_task

ANSWER_S = 60
SENTIMENT = get_task("sentiment")
ROWS = [{"text": "Good soup."}, {"text": ""}, {"text": "好吃。"}]


def lent_gpu(duration):
    """What ``spaces.GPU`` does for a generator function: arguments and results are pickled, the call is forked."""

    def decorate(function):
        def call(*args, **options):
            given = pickle.dumps((args, options))
            fork = multiprocessing.get_context("fork")
            receiver, sender = fork.Pipe(duplex=False)

            def work():
                torch.set_num_threads(1)  # threads of the parent's parallel loops do not live on in a fork
                args, options = pickle.loads(given)
                for item in function(*args, **options):
                    sender.send((item, False))
                sender.send((None, True))

            child = fork.Process(target=work, daemon=True)
            child.start()
            sender.close()
            while receiver.poll(ANSWER_S):
                item, is_last = receiver.recv()
                if is_last:
                    child.join(ANSWER_S)
                    return
                yield item
            pytest.fail("The fork does not answer.")

        return call

    return decorate


@pytest.fixture
def zerogpu(monkeypatch):
    monkeypatch.setenv(VARIABLE, "true")
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lent_gpu))


def comparable(predictions):
    """Their fields without the time taken; the fork adds up in one thread, which may change the last digits."""
    return [_rounded(vars(prediction) | {"latency_ms": None}) for prediction in predictions]


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def test_elsewhere_nothing_is_decorated_and_spaces_not_imported(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert on_gpu(predict_stream) is predict_stream


def test_a_call_runs_in_a_fork_that_has_the_engine(zerogpu, tiny_engine):
    def work(engine, number):
        yield os.getpid(), engine is tiny_engine, number

    ((pid, has_engine, number),) = on_gpu(work)(tiny_engine, number=7)
    assert pid != os.getpid()
    assert has_engine
    assert number == 7


def test_a_fork_predicts_what_the_parent_predicts(zerogpu, tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter()
    *_, here = predict_stream(tiny_engine, SENTIMENT, ROWS[0], record)
    *_, there = on_gpu(predict_stream)(tiny_engine, SENTIMENT, ROWS[0], record)
    assert comparable([there]) == comparable([here])


def test_a_fork_streams_texts_and_carries_errors_of_single_rows(zerogpu, tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter()
    here = [item for _, item in predict_many(tiny_engine, SENTIMENT, ROWS, record) if item.done]
    there = [item for _, item in on_gpu(predict_many)(tiny_engine, SENTIMENT, ROWS, record) if item.done]
    assert comparable(there) == comparable(here)
    assert [item.error is None for item in there] == [True, False, True]


def test_the_engine_of_the_parent_goes_on_after_a_fork(zerogpu, tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter()
    list(on_gpu(predict_stream)(tiny_engine, SENTIMENT, ROWS[0], record))
    *_, after = predict_stream(tiny_engine, SENTIMENT, ROWS[2], record)
    assert after.row["label"] in record.labels
