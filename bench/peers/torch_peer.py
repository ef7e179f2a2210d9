#!/usr/bin/env python3
"""What PyTorch makes of the cases of `lockstep bench`, on the same card: float32 matrix products (cuBLAS, TF32 off) and training steps.

    lockstep bench --list --json 'matmul/' train > cases.jsonl
    lockstep bench --device cuda --json 'matmul/' train > lockstep.jsonl
    python3 bench/peers/torch_peer.py --cases cases.jsonl --beside lockstep.jsonl --device cuda > torch.jsonl

Each line of output is a JSON object with the keys of `lockstep bench --json`: ns is the median over bursts of the time of one execution
by all cells, ns_q1 and ns_q3 are the quartiles; with --beside, ratio is this ns over lockstep's. A ratio is worth something if both
sides ran on one card, one after the other. "peer" says which way it was done:

    bmm, bmm+graph          torch.bmm over the cells, called from Python; the same calls recorded in a CUDA graph and replayed
    mm, mm+graph            torch.mm, for one cell
    vmap, vmap+graph        torch.func: vmap over seeds and cells of grad of one cell's loss; the same recorded as a CUDA graph
    compile, compile+graph  torch.compile of the vmap step (--compile only; needs Triton on a card)
    loop                    autograd and torch.optim.Adam for one cell after the other; measured for one cell

Needs torch 2.0 or later and nothing else. Without torch it prints a line that says so, and exits with 0; with 1 if a case failed or
none could be measured.

What differs between the sides, beside the hardware's arithmetic:
- Bits. torch promises none: a result may change with the number of cells, the card and the version. Here it is held against float64.
- The basis P of a training case is a dense float32 matrix [d, D] for each seed, projected by one product for all cells of the seed;
  lockstep keeps two bits an entry and adds exactly. The peer takes 16 times the memory for it, and rounds.
- Rows and labels are random, in the digits' shapes. A seed's order of rows is one permutation, walked again and again; lockstep's is
  a new one for each epoch. Both gather the rows of a step on the device.
- lockstep stops a cell whose loss is not finite, on the device, in each step; the peer does not look.
"""

import argparse
import json
import math
import re
import statistics
import sys
import time

BURSTS, LEAST_BURSTS = 21, 5
SETS, ROTATE = 32, 4  # copies of a product with operands of their own, at most; they are to be 4 times as large as the L2


def main():
    p = argparse.ArgumentParser(description="time PyTorch on the cases of lockstep bench")
    p.add_argument("--cases", default="-", help="lines of lockstep bench --list --json (default: standard input)")
    p.add_argument("--beside", default="", help="lines of lockstep bench --json, to compare with")
    p.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="cpu is for rehearsals")
    p.add_argument("--time", type=float, default=1.0, help="seconds for each measurement")
    p.add_argument("--only", default="", help="a regular expression: cases whose names match")
    p.add_argument("--compile", action="store_true", help="also training steps by torch.compile")
    args = p.parse_args()
    try:
        import torch
    except ImportError:
        emit({"skipped": "no torch: pip install torch, 2.0 or later"})
        return 0
    if args.device == "cuda" and not torch.cuda.is_available():
        emit({"skipped": "torch " + torch.__version__ + " sees no CUDA device"})
        return 1
    with sys.stdin if args.cases == "-" else open(args.cases, encoding="utf-8") as f:
        cases = [json.loads(line) for line in f if line.strip()]
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    torch.manual_seed(1)
    bench = Bench(torch, args)
    chosen = [case for case in cases if re.search(args.only, case["case"]) and case["family"] in ("matmul", "train")]
    for case in chosen:
        try:
            if case["family"] == "matmul":
                bench.matmul(case)
            else:
                bench.train(case)
        except Exception as e:  # the other cases are still of use
            emit({"case": case["case"], "failed": f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"})
    if emitted["measured"] == 0:
        print(f"torch_peer: nothing was measured: of {len(cases)} cases {len(chosen)} were chosen, {emitted['failed']} failed, {emitted['skipped']} ways were skipped", file=sys.stderr)
    return 0 if emitted["measured"] > 0 and emitted["failed"] == 0 else 1


emitted = {"measured": 0, "failed": 0, "skipped": 0}


def emit(line):
    emitted["measured"] += "ns" in line
    emitted["failed"] += "failed" in line
    emitted["skipped"] += "skipped" in line
    print(json.dumps(line), flush=True)


class Bench:
    def __init__(self, torch, args):
        self.torch, self.args = torch, args
        self.cuda = args.device == "cuda"
        self.machine = {"engine": "torch", "device": args.device, "torch": torch.__version__, "tf32": False}
        self.beside = {}
        if args.beside:
            with open(args.beside, encoding="utf-8") as f:
                self.beside = {r["case"]: r["ns"] for r in map(json.loads, f) if r["ns"] > 0}
        self.cache = 32 << 20
        if self.cuda:
            props = torch.cuda.get_device_properties(0)
            self.cache = getattr(props, "L2_cache_size", 50 << 20)
            self.machine |= {"device": props.name, "cuda": torch.version.cuda, "timer": "CUDA events"}
        else:
            self.machine |= {"threads": torch.get_num_threads(), "timer": "host clock"}

    # -- timing

    def elapsed(self, run, n):
        """Seconds for n runs."""
        if not self.cuda:
            start = time.perf_counter()
            for _ in range(n):
                run()
            return time.perf_counter() - start
        first, last = self.torch.cuda.Event(enable_timing=True), self.torch.cuda.Event(enable_timing=True)
        self.torch.cuda.synchronize()
        first.record()
        for _ in range(n):
            run()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) * 1e-3

    def measure(self, case, peer, run, sets=1, **more):
        """Times run, which does the case so many times, and prints the line."""
        for _ in range(3):
            run()
        burst, n = self.args.time / BURSTS, 1
        while (took := self.elapsed(run, n)) < burst * 2 / 3:
            n = max(n + 1, int(n * min(10, burst / max(took, 1e-6))))
        times, begin = [], time.perf_counter()
        while len(times) < LEAST_BURSTS or len(times) < BURSTS and time.perf_counter() - begin < self.args.time:
            times.append(self.elapsed(run, n) / n / sets * 1e9)
        q1, ns, q3 = statistics.quantiles(times, n=4, method="inclusive")
        if case["case"] in self.beside:
            more |= {"lockstep_ns": self.beside[case["case"]], "ratio": ns / self.beside[case["case"]]}
        count = {"GMAC/s": case["macs"] / 1e9, "cell-steps/s": case["cells"]}[case["unit"]]
        emit({"case": case["case"], "cells": case["cells"], "peer": peer, "ns": ns, "ns_q1": q1, "ns_q3": q3, "bursts": len(times), "steps": n, "sets": sets,
              "macs": case["macs"], "rate": count / (ns * 1e-9), "unit": case["unit"], **more, "machine": self.machine})

    def recorded(self, run):
        """run as a CUDA graph."""
        torch = self.torch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return graph.replay

    def both(self, case, peer, run, **more):
        """Measures run as it is and, on a card, as a graph. A way that fails gives a line that says why."""
        ways = [(peer, lambda: run)]
        if self.cuda:
            ways.append((peer + "+graph", lambda: self.recorded(run)))
        for name, make in ways:
            try:
                self.measure(case, name, make(), **more)
            except Exception as e:  # out of memory, or nothing that can be recorded: the other ways are still of use
                emit({"case": case["case"], "peer": name, "skipped": f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"})

    # -- matrix products

    def matmul(self, case):
        torch = self.torch
        cells = case["cells"]
        ta, tb = ("TA:true" in case["ops"][0]), ("TB:true" in case["ops"][0])
        sets = int(min(SETS, 1 + ROTATE * self.cache // case["bytes"]))
        try:
            operands = []
            for _ in range(sets):
                a, b = (torch.randn([cells, *o["shape"]], device=self.args.device) for o in case["operands"])
                a, b = (a.mT if ta else a), (b.mT if tb else b)
                operands.append((a, b, torch.empty([cells, a.shape[1], b.shape[2]], device=self.args.device)))
        except RuntimeError as e:
            emit({"case": case["case"], "peer": "bmm", "skipped": str(e).splitlines()[0]})
            return

        def run():
            for a, b, c in operands:
                torch.bmm(a, b, out=c)

        run()
        a, b, c = operands[-1]
        want = a[-1].double() @ b[-1].double()
        error = ((c[-1].double() - want).norm() / want.norm()).item()
        if not error < 1e-5:  # float32 gives about 1e-7, TF32 3e-4
            raise ArithmeticError(f"{case['case']}: torch.bmm is {error:.2g} off from float64: is TF32 on?")
        self.both(case, "bmm", run, sets=sets, error=error)
        if cells == 1:  # what one would write for a single product; cuBLAS may choose another kernel

            def single():
                for a, b, c in operands:
                    torch.mm(a[0], b[0], out=c[0])

            single()
            self.both(case, "mm", single, sets=sets, error=((operands[-1][2][-1].double() - want).norm() / want.norm()).item())

    # -- training

    def train(self, case):
        t = case["train"]
        if case["cells"] == 1:
            self.both_or_skip(case, "loop", lambda: Loop(self.torch, self.args.device, t).step, graph=False)
        self.both_or_skip(case, "vmap", lambda: Vmap(self.torch, self.args.device, t, case["cells"]).checked().step)
        if self.args.compile:
            self.both_or_skip(case, "compile", lambda: self.torch.compile(Vmap(self.torch, self.args.device, t, case["cells"]).step))

    def both_or_skip(self, case, peer, make, graph=True):
        try:
            step = make()
            if graph:
                self.both(case, peer, step)
            else:
                self.measure(case, peer, step)
        except self.torch.cuda.OutOfMemoryError as e:
            emit({"case": case["case"], "peer": peer, "skipped": str(e).splitlines()[0]})


def sizes(layers):
    """Shapes of the parameters, in order: W [in, out], b [out] of each layer."""
    return [s for i, o in zip(layers, layers[1:]) for s in ((i, o), (o,))]


def params(layers):
    return sum(math.prod(s) for s in sizes(layers))


def logits(torch, theta, x, layers):
    """The MLP on rows x [batch, in] with flat parameters theta [D]: relu between the layers."""
    parts = torch.split(theta, [math.prod(s) for s in sizes(layers)])
    for i, n in enumerate(layers[1:]):
        x = torch.addmm(parts[2 * i + 1], x, parts[2 * i].view(layers[i], n))
        if i + 2 < len(layers):
            x = torch.relu(x)
    return x


class Problem:
    """What both ways of training have: random rows, theta0 and P of each seed, a permutation of the rows."""

    def __init__(self, torch, device, t, seeds):
        self.torch, self.t = torch, t
        self.layers, self.batch, self.rows = t["layers"], t["batch"], t["rows"]
        D, d = params(self.layers), t["d"]
        self.X = torch.rand(self.rows, self.layers[0], device=device)
        self.Y = torch.randint(self.layers[-1], (self.rows,), device=device)
        draws = []
        for s in sizes(self.layers):  # He: normal with variance 2 / fan-in; biases zero
            draws.append(torch.randn(seeds, math.prod(s), device=device) * (math.sqrt(2 / s[0]) if len(s) == 2 else 0))
        self.theta0 = torch.cat(draws, 1)  # [seeds, D]
        signs = torch.randint(4, (seeds, d, D), device=device)
        self.P = ((signs == 0).float() - (signs == 1).float()) / math.sqrt(D / 2)  # [seeds, d, D]
        self.order = torch.stack([torch.randperm(self.rows, device=device) for _ in range(seeds)])
        self.places = torch.arange(self.batch, device=device)
        self.at = torch.zeros((), dtype=torch.int64, device=device)

    def rows_of_step(self):
        """The rows [seeds, batch, in] and labels [seeds, batch] of a step; the position moves on, on the device."""
        index = self.order[:, (self.at + self.places) % self.rows]
        self.at.add_(self.batch)
        return self.X[index], self.Y[index]


class Vmap(Problem):
    """All cells at once: z [seeds, cells of a seed, d], one learning rate each. Adam as Kingma and Ba, in place."""

    def __init__(self, torch, device, t, cells):
        super().__init__(torch, device, t, t["seeds"])
        each, d = cells // t["seeds"], t["d"]
        self.z, self.m, self.v = (torch.zeros(t["seeds"], each, d, device=device) for _ in range(3))
        self.lr = torch.logspace(-3, -1, each, device=device)[None, :, None] if each > 1 else torch.full((1, 1, 1), 0.1, device=device)
        self.b1, self.b2, self.eps = 0.9, 0.999, 1e-8
        self.q1, self.q2 = (torch.zeros((), device=device) for _ in range(2))
        layers = self.layers

        def loss(theta, x, y):
            return torch.nn.functional.cross_entropy(logits(torch, theta, x, layers), y)

        self.loss = loss
        self.grads = torch.func.vmap(torch.func.vmap(torch.func.grad(loss), in_dims=(0, None, None)))  # over seeds of over cells

    def gradient(self, x, y):
        """dloss/dz of every cell: P times the gradient with respect to theta = theta0 + z P, one product a seed both ways."""
        theta = self.torch.baddbmm(self.theta0[:, None, :], self.z, self.P)
        return self.torch.bmm(self.grads(theta, x, y), self.P.mT)

    def step(self):
        torch = self.torch
        g = self.gradient(*self.rows_of_step())
        self.m.lerp_(g, 1 - self.b1)
        self.v.mul_(self.b2).addcmul_(g, g, value=1 - self.b2)
        self.q1.mul_(self.b1).add_(1 - self.b1)
        self.q2.mul_(self.b2).add_(1 - self.b2)
        self.z.sub_(self.lr * (self.m / self.q1) / (torch.sqrt(self.v / self.q2) + self.eps))

    def checked(self):
        """self, after the gradient of the last cell was held against autograd in float64, away from z = 0."""
        torch = self.torch
        self.z.normal_()
        x, y = self.rows_of_step()
        got = self.gradient(x, y)[-1, -1].double()
        z = self.z[-1, -1].double().requires_grad_()
        self.loss(self.theta0[-1].double() + z @ self.P[-1].double(), x[-1].double(), y[-1]).backward()
        error = ((got - z.grad).norm() / z.grad.norm()).item()
        if not error < 1e-4:
            raise ArithmeticError(f"the gradient by vmap is {error:.2g} off from float64 autograd")
        self.z.zero_()
        self.at.zero_()
        return self


class Loop(Problem):
    """One cell, as a tutorial would train it."""

    def __init__(self, torch, device, t):
        super().__init__(torch, device, t, 1)
        self.z = torch.zeros(t["d"], device=device, requires_grad=True)
        self.optimiser = torch.optim.Adam([self.z], lr=0.1, fused=device == "cuda")

    def step(self):
        x, y = self.rows_of_step()
        theta = self.theta0[0] + self.z @ self.P[0]
        loss = self.torch.nn.functional.cross_entropy(logits(self.torch, theta, x[0], self.layers), y[0])
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


if __name__ == "__main__":
    sys.exit(main())
