"""What the peers of products with curvature matrices have in common: the files that the driver wrote (curvature.go), and its requests:

    derive    id, model, what, models, vectors, way   make gradients or products of the first models with their first vectors ready
              -> way, seconds (of compiling); burst (peer.py) then counts products
    products  id                                      what was made ready, once -> file: float32 [models, vectors, D], for the driver to delete
    truth     model, what, models, vectors            the same in float64 -> file: float64 [models, vectors, D]

model is "mlp" (tanh) or "transformer"; what is "gradient", "hessian" or "ggn", the last two with "-kept" where the parameters stay the same from
product to product, and what hangs on them alone may be computed once, before any is timed. The loss is the mean cross-entropy of all rows.
"""

import json
import math
import os
import tempfile
import time
from types import SimpleNamespace

import numpy as np

from peer import Peer


def split(theta, shapes):
    """The parameters in a flat vector."""
    parts, at = [], 0
    for s in shapes:
        parts.append(theta[at : at + math.prod(s)].reshape(s))
        at += math.prod(s)
    return parts


class Curvature(Peer):
    """Files by model: x [rows, in] and y [rows, 1], theta [models, D], v [models, vectors, D]; and in curvature.json its shapes, in the order
    of theta, and heads."""

    def hello(self, folder):
        answer = super().hello(folder)
        self.folder = folder
        with open(os.path.join(folder, "curvature.json")) as f:
            self.models = {name: SimpleNamespace(name=name, **facts) for name, facts in json.load(f).items()}
        for name, m in self.models.items():
            m.x, m.y, m.theta, m.v = (np.load(os.path.join(folder, f"{name}_{what}.npy"), mmap_mode="r") for what in ("x", "y", "theta", "v"))
            m.y = m.y[:, 0].astype(np.int32)
            if name == "transformer":
                m.x = m.x.astype(np.int32)
        return answer

    def derive(self, id, model, what, models, vectors, way):
        m = self.models[model]
        start = time.perf_counter()
        run = self.made(m, what, np.array(m.theta[:models]), np.array(m.v[:models, :vectors]), way)
        run()
        self.ready[id] = lambda: None, run, models * vectors
        return {"way": way, "seconds": time.perf_counter() - start}

    def products(self, id):
        return self.file(self.ready[id][1]())

    def file(self, a):
        to, name = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(to, "wb") as f:
            np.ascontiguousarray(a).tofile(f)
        return {"file": name}
