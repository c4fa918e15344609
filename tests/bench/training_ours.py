"""The training of this project, as ``python -m playground train`` does it."""

from playground.training.loop import train as train_loop
from playground.training.room import must_fit
from playground.training.trainee import build_trainee
from tests.bench.training_job import Job, Outcome, contest


def train(job: Job, outcome: Outcome):
    trainee = build_trainee(job.config, job.shape, job.source, job.num_labels)
    with outcome.timed():
        trainee.prepare(job.features)
        must_fit(trainee, job.features, job.config, job.pad_id)
        train_loop(
            trainee,
            job.features,
            job.config,
            job.pad_id,
            on_step=lambda step: outcome.losses.append(step.loss),
            should_stop=lambda: False,
        )
    outcome.rows = round(job.config.epochs * len(job.features))
    return trainee.model


if __name__ == "__main__":
    contest(train)
