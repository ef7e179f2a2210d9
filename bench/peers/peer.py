"""What the peers of `make peers` have in common: the network, the files that the driver wrote, and the talk with the driver.

The driver (main.go) starts a script for each peer and number of threads, and writes a JSON object a line to its standard input; the
script answers each with one line on standard output: {..}, or {"error": ".."}. Between two lines it waits in a read and takes no
processor. The requests, by "do":

    hello    folder                  load the driver's files -> versions
    train    id, space, lr [cells]   make a pack of cells ready -> way, seconds (of compiling)
    matmul   id, batch, n            make batch products n x n by n x n ready -> way
    burst    id, seconds             do it for so long -> done (cell-steps, multiply-adds), seconds
    after    space, lr, steps        z of the first cell after so many steps from the beginning -> words
    logits   batch                   of the test rows by theta0 of seed 0, in batches of so many rows -> words
    job      d [..], rate, baseline  train and evaluate the whole job from nothing, compilation included -> seconds, accuracy

A space is "full" (z is theta), "each" (theta = theta0 + P z, each cell of its own seed) or "one" (all cells of one seed). "words" are
float32, little endian, in base64. A script serves what it has methods for.
"""

import base64
import json
import math
import os
import sys
import time

THREADS = int(os.environ.get("PEER_THREADS", "2"))
if hasattr(os, "sched_setaffinity"):  # before any library counts the processors
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])

import numpy as np

LAYERS, DIM, BATCH = [64, 64, 64, 10], 100, 128
SHAPES = [s for i, o in zip(LAYERS, LAYERS[1:]) for s in ((i, o), (o,))]  # W [in, out], b [out] of each layer, in order
PARAMS = sum(math.prod(s) for s in SHAPES)
B1, B2, EPS = 0.9, 0.999, 1e-8


def split(theta):
    """The parameters in a flat vector [PARAMS]."""
    parts, at = [], 0
    for s in SHAPES:
        parts.append(theta[at : at + math.prod(s)].reshape(s))
        at += math.prod(s)
    return parts


class Peer:
    """The files: X, Y and the test's X, Y; theta0 [seeds, PARAMS], the rows of each step batches [seeds, steps, BATCH], the basis of
    seed 0 as lockstep's Gaussian map draws it [DIM, PARAMS]."""

    def __init__(self):
        self.ready, self.bases = {}, np.empty((0, DIM, PARAMS), np.float32)

    def hello(self, folder):
        for name in ("x", "y", "test_x", "test_y", "theta0", "batches", "basis0", "job_batches"):
            a = np.load(os.path.join(folder, name + ".npy"))
            setattr(self, name, a.astype(np.int32) if a.dtype == np.uint32 else a)
        return {"versions": self.versions()}

    def basis(self, seeds):
        """P of each seed [seeds, DIM, PARAMS], rows of unit norm: of seed 0 lockstep's own, of the others drawn here."""
        if len(self.bases) < seeds:
            self.bases = np.empty((seeds, DIM, PARAMS), np.float32)
            self.bases[0] = self.basis0
            for s, p in enumerate(self.bases[1:], 1):
                np.random.default_rng(s).standard_normal(out=p, dtype=np.float32)
                p /= np.linalg.norm(p, axis=1, keepdims=True)
        return self.bases[:seeds]

    def burst(self, id, seconds):
        begin, run, each = self.ready[id]
        begin()  # each burst trains from the beginning, on every side
        run()  # its data are in the caches again
        done, start = 0, time.perf_counter()
        while (took := time.perf_counter() - start) < seconds:
            run()
            done += each
        return {"done": done, "seconds": took}

    def forget(self, id):
        del self.ready[id]
        return {}

    def serve(self):
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what libraries print is no answer
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = getattr(self, request.pop("do"))(**request)
            except Exception as e:
                answer = {"error": f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"}
            print(json.dumps(answer), file=answers, flush=True)


def words(a):
    return {"words": base64.b64encode(np.ascontiguousarray(a, "<f4").tobytes()).decode()}


def in_batches(rows, n, f):
    """f of n rows after n rows; the last batch may be smaller."""
    return np.concatenate([np.asarray(f(rows[i : i + n])) for i in range(0, len(rows), n)])
