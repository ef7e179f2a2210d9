"""Products with curvature matrices by PyTorch, eager: see curvature.py. Its ways:

    double backward   autograd.grad with create_graph, and again; all models at once by torch.func.vmap of the forward pass, whose losses' sum has
                      the gradient and the Hessian of each. J v is the derivative of J^T u by u. Kept: the graph of the gradient stays.
    func              torch.func: jvp of grad, and jvp, jvp of the loss's grad, vjp; vmap over models and vectors
    curvlinops        curvlinops' linear operators, one for each model, in a loop
"""

import warnings

from curvature import Curvature, split

import numpy as np
import torch
from torch.autograd import grad
from torch.func import jvp, vjp, vmap
from torch.nn.functional import cross_entropy, layer_norm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a dependency scripts functions that it is not asked for
    import curvlinops


def mlp(m, theta, x):
    w1, b1, w2, b2, w3, b3 = split(theta, m.shapes)
    return torch.tanh(torch.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def norm_by_hand(x, shape, gain, shift):
    """layer_norm in ops of its own: the Hessian that curvlinops makes of torch 2.15's layer_norm, as jvp of jacrev, is wrong by percents in float64,
    too, where that of autograd and that of jvp of grad are right."""
    x = x - x.mean(-1, keepdim=True)
    return x * ((x * x).mean(-1, keepdim=True) + 1e-5).rsqrt() * gain + shift


def transformer(m, theta, x, norm=layer_norm):
    tokens, places, *blocks, gain, shift, w, b = split(theta, m.shapes)
    h = tokens[x] + places  # [rows, positions, columns]
    rows, positions, columns = h.shape
    future = torch.ones(positions, positions, dtype=torch.bool).triu(1)

    def heads(y, w, b):
        return (y @ w + b).reshape(rows, positions, m.heads, columns // m.heads).transpose(1, 2)

    while blocks:
        (g, s, wq, bq, wk, bk, wv, bv, wo, bo), blocks = blocks[:10], blocks[10:]
        y = norm(h, (columns,), g, s)
        q, k, v = heads(y, wq, bq), heads(y, wk, bk), heads(y, wv, bv)
        scores = (q @ k.mT * (columns // m.heads) ** -0.5).masked_fill(future, -torch.inf)
        a = (scores.softmax(-1) @ v).transpose(1, 2).reshape(rows, positions, columns)
        h = h + a @ wo + bo
    return norm(h, (columns,), gain, shift)[:, -1] @ w + b  # read at the last position


NETWORKS = {"mlp": mlp, "transformer": transformer}


class Network(torch.nn.Module):
    """A network whose parameters are one flat vector."""

    def __init__(self, m, theta):
        super().__init__()
        self.m, self.theta = m, torch.nn.Parameter(theta)

    def forward(self, x):
        if self.m.name == "transformer":
            return transformer(self.m, self.theta, x, norm_by_hand)
        return mlp(self.m, self.theta, x)


class TorchCurvature(Curvature):
    def made(self, m, what, theta, v, way):
        f = {"double backward": self.double_backward, "func": self.func, "curvlinops": self.curvlinops}[way]
        x, y = torch.from_numpy(np.array(m.x)), torch.from_numpy(m.y).long()
        theta, v = torch.from_numpy(theta), torch.from_numpy(v)
        return f(m, what, theta, v, (x.to(theta.dtype) if x.is_floating_point() else x.long()), y)

    def double_backward(self, m, what, theta, v, x, y):
        """One vector a model."""
        theta, v = theta.requires_grad_(), v[:, 0]
        network = NETWORKS[m.name]
        if len(theta) == 1:
            outputs = lambda: network(m, theta[0], x)[None]  # [models, rows, classes]
            loss = lambda z: cross_entropy(z[0], y)
        else:
            outputs = lambda: vmap(lambda t: network(m, t, x))(theta)
            loss = lambda z: vmap(lambda z: cross_entropy(z, y))(z).sum()

        def gradient(keep):
            return grad(loss(outputs()), theta, create_graph=keep)[0]

        def ggn():
            z = outputs()
            u = torch.zeros_like(z, requires_grad=True)
            (jtu,) = grad(z, theta, u, create_graph=True)
            (jv,) = grad(jtu, u, v, retain_graph=True)
            at = z.detach().requires_grad_()
            (first,) = grad(loss(at), at, create_graph=True)
            (hjv,) = grad(first, at, jv)
            return grad(z, theta, hjv)[0]

        if what == "gradient":
            return lambda: gradient(False)[:, None]
        if what == "hessian":
            return lambda: grad(gradient(True), theta, v)[0][:, None]
        if what == "ggn":
            return lambda: ggn()[:, None]
        g = gradient(True)  # hessian-kept
        return lambda: grad(g, theta, v, retain_graph=True)[0][:, None]

    def func(self, m, what, theta, v, x, y):
        outputs = lambda t: NETWORKS[m.name](m, t, x)
        loss = lambda z: cross_entropy(z, y)
        gradient = torch.func.grad(lambda t: loss(outputs(t)))

        def hessian(t, v):
            return jvp(gradient, (t,), (v,))[1]

        def ggn(t, v):
            z, jv = jvp(outputs, (t,), (v,))
            hjv = jvp(torch.func.grad(loss), (z,), (jv,))[1]
            return vjp(outputs, t)[1](hjv)[0]

        if what == "gradient":
            one, f = gradient, vmap(gradient)
            return (lambda: one(theta[0])[None, None]) if len(theta) == 1 else lambda: f(theta)[:, None]
        one = {"hessian": hessian, "ggn": ggn}[what]
        if v.shape[1] > 1:
            f = vmap(vmap(one, (None, 0)))
            return lambda: f(theta, v)
        f = vmap(one)
        return (lambda: one(theta[0], v[0, 0])[None, None]) if len(theta) == 1 else lambda: f(theta, v[:, 0])[:, None]

    def curvlinops(self, m, what, theta, v, x, y):
        kind = {"hessian": curvlinops.HessianLinearOperator, "ggn": curvlinops.GGNLinearOperator}[what]
        loss = torch.nn.CrossEntropyLoss()
        all = []
        for t in theta:
            network = Network(m, t.clone())
            all.append(kind(network, loss, [network.theta], [(x, y)], check_deterministic=False))
        v = v.mT.contiguous()  # [models, D, vectors]
        return lambda: torch.stack([a @ w for a, w in zip(all, v)]).mT

    def truth(self, model, what, models, vectors):
        m, each = self.models[model], []
        for t, w in zip(m.theta[:models], m.v[:models, :vectors]):
            for v in w:
                run = self.made(m, what, np.array(t[None], np.float64), np.array(v[None, None], np.float64), "double backward")
                each.append(run().detach().numpy()[0])
        return self.file(np.stack(each))
