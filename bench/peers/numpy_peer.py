"""OpenBLAS beside lockstep, by way of numpy, which brings it: see peer.py."""

import ctypes
import glob
import os
import time
from concurrent.futures import ThreadPoolExecutor

from peer import LAYERS, THREADS, Peer, in_batches, split, words

import numpy as np


class Numpy(Peer):
    def versions(self):
        """With the kernels that OpenBLAS chose for this processor: its core."""
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        core = "unknown"
        for path in glob.glob(os.path.join(os.path.dirname(np.__file__) + ".libs", "*openblas*")):
            for name in ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename"):
                if f := getattr(ctypes.CDLL(path), name, None):
                    f.restype = ctypes.c_char_p
                    core = f().decode()
                    break
        return {"numpy": np.__version__, "blas": blas["name"], "openblas": blas["version"], "core": core}

    def matmul(self, id, batch, n):
        """The fastest of the ways in which numpy multiplies a batch: OpenBLAS takes one product to several threads only if it is
        large, so the batch is cut among threads, too."""
        a, b = (np.random.default_rng(s).standard_normal((batch, n, n), np.float32) for s in (1, 2))
        c = np.empty_like(a)
        pool = ThreadPoolExecutor(THREADS)
        cuts = [slice(i * batch // THREADS, (i + 1) * batch // THREADS) for i in range(THREADS)]

        def loop():
            for x, y, z in zip(a, b, c):
                np.matmul(x, y, out=z)

        ways = {"np.matmul of 2-D arrays": loop}
        if batch > 1:
            ways["np.matmul of 3-D arrays"] = lambda: np.matmul(a, b, out=c)
        if batch > 1 and THREADS > 1:
            ways["np.matmul of 3-D arrays, cut among threads"] = lambda: list(pool.map(lambda s: np.matmul(a[s], b[s], out=c[s]), cuts))
        times = {}
        for name, run in ways.items():
            run()
            start, runs = time.perf_counter(), 0
            while time.perf_counter() - start < 0.2:
                run()
                runs += 1
            times[name] = (time.perf_counter() - start) / runs
        best = min(times, key=times.get)
        self.ready[id] = lambda: None, ways[best], batch * n**3
        return {"way": best}

    def logits(self, batch):
        p = split(self.theta0[0])

        def of(x):
            for i in range(len(LAYERS) - 1):
                x = np.matmul(x, p[2 * i]) + p[2 * i + 1]
                x = np.maximum(x, 0) if i + 2 < len(LAYERS) else x
            return x

        return words(in_batches(self.test_x, batch, of))


if __name__ == "__main__":
    Numpy().serve()
