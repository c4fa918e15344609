"""The training of this project on a processor that does not multiply bfloat16 in hardware, and so in fp32."""

from playground.training import passes, trainee
from tests.bench.training_job import contest
from tests.bench.training_ours import train

if __name__ == "__main__":
    passes.fast_bfloat16 = trainee.fast_bfloat16 = lambda: False
    contest(train)
