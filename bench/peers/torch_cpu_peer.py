"""PyTorch on the CPU beside lockstep: see peer.py (torch_peer.py is for cards). torch.func.vmap over the cells of grad of one cell's
loss, eager; the map and its gradient are matrix products; Adam as torch writes it, in place."""

import importlib.metadata
import time

from peer import B1, B2, BATCH, DIM, EPS, PARAMS, SHAPES, THREADS, in_batches, split, words
from torch_curvature import TorchCurvature

import numpy as np
import torch

CHUNK = 128  # cell-steps between two looks at the clock


def logits(theta, x):
    w1, b1, w2, b2, w3, b3 = split(theta)
    return torch.relu(torch.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def loss(theta, x, y):
    return torch.nn.functional.cross_entropy(logits(theta, x), y)


each = torch.func.grad(loss)
own_rows = torch.func.vmap(each)  # theta [cells, PARAMS], x [cells, BATCH, in]
one_rows = torch.func.vmap(each, (0, None, None))  # cells of one seed have the same rows


class Adam:
    def __init__(self, z, rate):
        self.z0, self.rate = z, rate
        self.begin()

    def begin(self):
        self.z, self.m, self.v = self.z0.clone(), torch.zeros_like(self.z0), torch.zeros_like(self.z0)
        self.q1 = self.q2 = 0.0

    def step(self, g):
        self.m.lerp_(g, 1 - B1)
        self.v.mul_(B2).addcmul_(g, g, value=1 - B2)
        self.q1, self.q2 = B1 * self.q1 + (1 - B1), B2 * self.q2 + (1 - B2)
        self.z.sub_(self.rate * (self.m / self.q1) / (torch.sqrt(self.v / self.q2) + EPS))


class Torch(TorchCurvature):
    def versions(self):
        return {"torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability(), "mkl": str(torch.backends.mkl.is_available()),
                "curvlinops": importlib.metadata.version("curvlinops-for-pytorch")}

    def hello(self, folder):
        answer = super().hello(folder)
        self.X, self.Y = torch.from_numpy(self.x), torch.from_numpy(self.y[:, 0]).long()
        return answer

    def pack(self, space, lr):
        """A function that does step t, and its Adam."""
        seeds = 1 if space == "one" else len(lr)
        theta0, batches = torch.from_numpy(self.theta0[:seeds]), torch.from_numpy(self.batches[:seeds]).long()
        z = theta0 if space == "full" else torch.zeros(len(lr), DIM)
        p = None if space == "full" else torch.from_numpy(self.basis(seeds))
        adam = Adam(z, torch.tensor(lr, dtype=torch.float32)[:, None])

        def step(t):
            i = batches[:, t % batches.shape[1]]
            x, y = self.X[i], self.Y[i]
            if space == "full":
                g = own_rows(adam.z, x, y)
            elif space == "each":
                theta = torch.baddbmm(theta0[:, None], adam.z[:, None], p)[:, 0]
                g = torch.bmm(own_rows(theta, x, y)[:, None], p.mT)[:, 0]
            else:
                g = one_rows(torch.addmm(theta0, adam.z, p[0]), x[0], y[0]) @ p[0].T
            adam.step(g)

        return step, adam

    def train(self, id, space, lr):
        step, adam = self.pack(space, lr)
        steps, at = max(2, CHUNK // len(lr)), 0

        def more():
            nonlocal at
            for at in range(at + 1, at + 1 + steps):
                step(at)

        self.ready[id] = adam.begin, more, steps * len(lr)
        return {"way": "torch.func.vmap, eager", "seconds": 0}

    def after(self, space, lr, steps):
        step, adam = self.pack(space, lr)
        for t in range(steps):
            step(t)
        return words(adam.z[0].numpy())

    def logits(self, batch):
        theta = torch.from_numpy(self.theta0[0])
        return words(in_batches(self.test_x, batch, lambda x: logits(theta, torch.from_numpy(x))))

    def job(self, d, rate, baseline):
        """All d at once, padded to the largest: z [seeds, cells of a seed, max(d)], one product with P a seed; then the baselines."""
        start = time.perf_counter()
        seeds, steps = self.job_batches.shape[:2]
        theta0, batches = torch.from_numpy(self.theta0[:seeds]), torch.from_numpy(self.job_batches).long()
        p = torch.randn(seeds, max(d), PARAMS)
        p /= p.norm(dim=2, keepdim=True)
        used = torch.arange(max(d)) < torch.tensor(d)[:, None]
        nested = torch.func.vmap(one_rows)  # over the seeds: theta [seeds, cells of a seed, PARAMS], x [seeds, BATCH, in]
        some, all = Adam(torch.zeros(seeds, len(d), max(d)), rate), Adam(theta0, baseline)
        start_at = theta0[:, None]
        for t in range(steps):
            x, y = self.X[batches[:, t]], self.Y[batches[:, t]]
            some.step((nested(start_at + some.z @ p, x, y) @ p.mT) * used)
            all.step(own_rows(all.z, x, y))
        accuracy = []
        for theta in (all.z[:, None], start_at + some.z @ p):
            for rows, labels in ((self.x, self.y), (self.test_x, self.test_y)):
                out = torch.func.vmap(torch.func.vmap(logits, (0, None)), (0, None))(theta, torch.from_numpy(rows))
                labels = torch.from_numpy(labels[:, 0]).long()
                torch.nn.functional.cross_entropy(out.permute(2, 3, 0, 1), labels[:, None, None].expand(-1, *out.shape[:2]), reduction="none").mean(0)
                right = (out.argmax(-1) == labels).float().mean(-1)
            accuracy.append(right[:, -1].mean().item())
        return {"seconds": time.perf_counter() - start, "accuracy": accuracy}


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    Torch().serve()
