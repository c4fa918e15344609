"""One frozen multilingual backbone and many small adapters."""

import os

# How often a thread looks for the others before it sleeps, read by libgomp when torch is loaded. With the default,
# 300,000 times, a token takes seconds as soon as anything else, such as a training, wants one of the few cores; with
# fewer, the others sleep between two products of a short pass, and waking them takes longer than their share.
os.environ.setdefault("GOMP_SPINCOUNT", "4000")
