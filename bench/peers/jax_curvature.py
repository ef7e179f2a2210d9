"""Products with curvature matrices by JAX: see curvature.py. jit; vmap over models, and over the vectors of each. From the parameters on, a product
is jvp of grad, and of the Gauss-Newton matrix jvp, jvp of the loss's grad, vjp; where they are kept, linearize does once what hangs on them."""

from curvature import Curvature, split

import jax
import jax.numpy as jnp


def mlp(m, theta, x):
    w1, b1, w2, b2, w3, b3 = split(theta, m.shapes)
    return jnp.tanh(jnp.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def norm(x, gain, shift):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * gain + shift


def transformer(m, theta, x):
    tokens, places, *blocks, gain, shift, w, b = split(theta, m.shapes)
    h = tokens[x] + places  # [rows, positions, columns]
    rows, positions, columns = h.shape
    past = jnp.tril(jnp.ones((positions, positions), bool))

    def heads(y, w, b):
        return (y @ w + b).reshape(rows, positions, m.heads, columns // m.heads).swapaxes(1, 2)

    while blocks:
        (g, s, wq, bq, wk, bk, wv, bv, wo, bo), blocks = blocks[:10], blocks[10:]
        y = norm(h, g, s)
        q, k, v = heads(y, wq, bq), heads(y, wk, bk), heads(y, wv, bv)
        scores = jnp.where(past, q @ k.mT * (columns // m.heads) ** -0.5, -jnp.inf)
        a = (jax.nn.softmax(scores) @ v).swapaxes(1, 2).reshape(rows, positions, columns)
        h = h + a @ wo + bo
    return norm(h, gain, shift)[:, -1] @ w + b  # read at the last position


def entropy(logits, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))


class JaxCurvature(Curvature):
    def made(self, m, what, theta, v, way):
        x, y, theta, v = jnp.asarray(m.x), jnp.asarray(m.y), jnp.asarray(theta), jnp.asarray(v)
        network = {"mlp": mlp, "transformer": transformer}[m.name]

        def outputs(t):
            return network(m, t, x)

        def loss(z):
            return entropy(z, y)

        def gradient(t):
            return jax.grad(lambda t: loss(outputs(t)))(t)

        def hessian(t, v):
            return jax.jvp(gradient, (t,), (v,))[1]

        def ggn(t, v):
            z, jv = jax.jvp(outputs, (t,), (v,))
            hjv = jax.jvp(jax.grad(loss), (z,), (jv,))[1]
            return jax.vjp(outputs, t)[1](hjv)[0]

        def kept_hessian(t):
            return jax.linearize(gradient, t)[1]

        def kept_ggn(t):
            z, j = jax.linearize(outputs, t)
            return j, jax.linearize(jax.grad(loss), z)[1]

        def times(linear, v):
            if what == "hessian-kept":
                return linear(v)
            j, h = linear
            return jax.linear_transpose(j, v)(h(j(v)))[0]

        def over(f):  # models, and vectors of each
            return jax.jit(jax.vmap(jax.vmap(f, (None, 0))) if v.shape[1] > 1 else jax.vmap(lambda t, v: f(t, v[0])[None]))

        if what == "gradient":
            f = jax.jit(jax.vmap(gradient))
            return lambda: jax.block_until_ready(f(theta))[:, None]
        if what in ("hessian", "ggn"):
            f = over({"hessian": hessian, "ggn": ggn}[what])
            return lambda: jax.block_until_ready(f(theta, v))
        kept = jax.block_until_ready(jax.jit(jax.vmap({"hessian-kept": kept_hessian, "ggn-kept": kept_ggn}[what]))(theta))
        f = over(times)
        return lambda: jax.block_until_ready(f(kept, v))
