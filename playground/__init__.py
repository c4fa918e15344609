"""One frozen multilingual backbone and many small adapters."""

import os

# How often a thread looks for the others before it sleeps, read by libgomp when torch is loaded. With the default,
# 300,000 times, a token takes seconds as soon as anything else, such as a training, wants one of the few cores.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
