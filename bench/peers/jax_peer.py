"""JAX beside lockstep: see peer.py. float32; vmap over the cells, lax.scan over the steps, jit; the state is donated, data and rows
of the steps are on the device. With one basis for all cells P z is one matrix product."""

import time
from functools import cache, partial

import numpy as np

from peer import B1, B2, BATCH, DIM, EPS, PARAMS, in_batches, split, words
from jax_curvature import JaxCurvature

import jax
import jax.numpy as jnp

CHUNK = 256  # cell-steps of a call: enough that calling costs nothing


def logits(theta, x):
    w1, b1, w2, b2, w3, b3 = split(theta)
    return jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def loss(theta, x, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits(theta, x)), y[:, None], 1))


def adam(state, g, lr):
    z, m, v, q1, q2 = state
    m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
    q1, q2 = B1 * q1 + (1 - B1), B2 * q2 + (1 - B2)
    return z - lr * (m / q1) / (jnp.sqrt(v / q2) + EPS), m, v, q1, q2


def fresh(z):
    return z, jnp.zeros_like(z), jnp.zeros_like(z), jnp.float32(0), jnp.float32(0)


def total(space):
    """The sum of the cells' losses, whose gradient is that of each: z [cells, ..], theta0 and rows by seed."""
    if space == "full":
        return lambda z, theta0, p, x, y: jax.vmap(loss)(z, x, y).sum()
    if space == "each":
        return lambda z, theta0, p, x, y: jax.vmap(loss)(theta0 + jnp.einsum("cd,cdD->cD", z, p), x, y).sum()
    return lambda z, theta0, p, x, y: jax.vmap(loss, (0, None, None))(theta0[0] + z @ p[0], x[0], y[0]).sum()


class Jax(JaxCurvature):
    def versions(self):
        return {"jax": jax.__version__, "jaxlib": jax.lib.__version__}

    def hello(self, folder):
        answer = super().hello(folder)
        self.X, self.Y = jnp.asarray(self.x), jnp.asarray(self.y[:, 0])
        return answer

    @cache
    def advance(self, space, steps):
        """A function that advances the state of a pack by so many steps."""
        X, Y, gradient = self.X, self.Y, jax.grad(total(space))

        @partial(jax.jit, donate_argnums=0)
        def run(state, lr, theta0, p, batches):
            def step(carry, _):
                state, t = carry
                i = jax.lax.dynamic_index_in_dim(batches, t % batches.shape[1], 1, keepdims=False)  # [seeds, BATCH]
                return (adam(state, gradient(state[0], theta0, p, X[i], Y[i]), lr), t + 1), None

            return jax.lax.scan(step, state, None, length=steps)[0]

        return run

    def pack(self, space, lr):
        """The state of a pack at its beginning, and what advance takes beside: learning rates [cells, 1], and by seed theta0, P, rows."""
        seeds = 1 if space == "one" else len(lr)
        theta0 = jnp.asarray(self.theta0[:seeds])
        z = theta0.copy() if space == "full" else jnp.zeros((len(lr), DIM), jnp.float32)
        p = None if space == "full" else jnp.asarray(self.basis(seeds))
        return (fresh(z), jnp.int32(0)), (jnp.asarray(np.array(lr, np.float32))[:, None], theta0, p, jnp.asarray(self.batches[:seeds]))

    def train(self, id, space, lr):
        steps = max(2, CHUNK // len(lr))
        run, (state, beside) = self.advance(space, steps), self.pack(space, lr)
        now = None

        def begin():
            nonlocal now
            now = jax.tree.map(jnp.copy, state)  # a call takes its state for its own

        def more():
            nonlocal now
            now = jax.block_until_ready(run(now, *beside))

        self.ready[id] = begin, more, steps * len(lr)
        start = time.perf_counter()
        begin()
        more()
        return {"way": "vmap, scan, jit", "seconds": time.perf_counter() - start}

    def after(self, space, lr, steps):
        run, (state, beside) = self.advance(space, steps), self.pack(space, lr)
        (state, _) = run(state, *beside)
        return words(state[0][0])

    def logits(self, batch):
        f, theta = jax.jit(logits), jnp.asarray(self.theta0[0])
        return words(in_batches(self.test_x, batch, lambda x: f(theta, x)))

    def job(self, d, rate, baseline):
        """One program for all d, padded to the largest, and one for the baselines. z of a seed's cells is one matrix, so that each
        seed's P is read once; a program for each d took longer to compile than it saved."""
        jax.clear_caches()
        start = time.perf_counter()
        seeds, steps = self.job_batches.shape[:2]
        theta0, batches = jnp.asarray(self.theta0[:seeds]), jnp.asarray(self.job_batches)
        test_x, test_y = jnp.asarray(self.test_x), jnp.asarray(self.test_y[:, 0])
        X, Y, used = self.X, self.Y, jnp.arange(max(d)) < jnp.asarray(d)[:, None]  # [len(d), max(d)]

        def trained(theta, z, lr):
            """z [seeds, cells of a seed, ..] after all steps; theta gives the parameters [seeds, cells of a seed, PARAMS]."""

            def each(z, x, y):
                return jax.vmap(jax.vmap(loss, (0, None, None)))(theta(z), x, y).sum()

            def step(state, i):
                return adam(state, jax.grad(each)(state[0], X[i], Y[i]), lr), None

            return theta(jax.lax.scan(step, fresh(z), batches.swapaxes(0, 1))[0][0])

        def judged(theta):
            """Losses and accuracies on both sets."""
            results = []
            for x, y in ((X, Y), (test_x, test_y)):
                out = jax.vmap(jax.vmap(logits, (0, None)), (0, None))(theta, x)
                right = (out.argmax(-1) == y).mean(-1)
                picked = jnp.take_along_axis(jax.nn.log_softmax(out), y[None, None, :, None], -1)
                results += [-picked.mean((-1, -2)), right]
            return results

        @jax.jit
        def subspace(key):
            p = jax.random.normal(key, (seeds, max(d), PARAMS))
            p /= jnp.linalg.norm(p, axis=2, keepdims=True)
            return judged(trained(lambda z: theta0[:, None] + (z * used) @ p, jnp.zeros((seeds, len(d), max(d))), rate))

        @jax.jit
        def full():
            return judged(trained(lambda z: z, theta0[:, None], baseline))

        some, all = subspace(jax.random.key(0)), full()
        accuracy = [float(np.asarray(all[3]).mean()), float(np.asarray(some[3])[:, -1].mean())]
        np.asarray(some[0])
        return {"seconds": time.perf_counter() - start, "accuracy": accuracy}


if __name__ == "__main__":
    Jax().serve()
