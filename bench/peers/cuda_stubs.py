"""Empty libraries in the place of CUDA's, for torch on machines without a card.

PyPI's torch for Linux on x86-64 is linked against CUDA's libraries, some gigabytes of packages, and does not start without them; on the
CPU it calls none of them. This script compiles, for each that is missing, one with the same name, whose functions return 0, into the
folder where torch looks for the packages' libraries. A torch that starts by itself (from an index of CPU wheels, or on another
processor) is left alone. It needs cc and readelf (gcc and binutils).
"""

import collections
import ctypes
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile


def starts():
    return subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, text=True)


def read(*flags):
    return subprocess.run(["readelf", "-W", *flags], check=True, capture_output=True, text=True).stdout


def missing(lib):
    """{library: {version or "": symbols}} of the libraries that torch's own need and that are nowhere."""
    needed, defined = set(), set()
    versions = collections.defaultdict(set)  # that a library must have
    undefined = collections.defaultdict(set)  # symbols by version
    for path in glob.glob(os.path.join(lib, "*.so*")):
        if "nvrtc" in path:  # which is loaded for a card only
            continue
        needed |= set(re.findall(r"\(NEEDED\).*\[(.*)\]", read("-d", path)))
        owner = ""
        for line in read("-V", path).splitlines():
            if m := re.search(r"File: (\S+)", line):
                owner = m[1]
            elif owner and (m := re.search(r"Name: (\S+)  Flags.*Version: ", line)):
                versions[owner].add(m[1])
        for line in read("--dyn-syms", path).splitlines():
            columns = line.split()  # number: value size type bind visibility section name
            if len(columns) < 8 or not columns[0].endswith(":"):
                continue
            name, _, version = columns[7].partition("@")
            if columns[6] == "UND":
                undefined[version.lstrip("@")].add(name)
            else:
                defined.add(name)
    own = set(os.listdir(lib))
    libraries = {}
    for name in sorted(needed - own):
        try:
            ctypes.CDLL(name)
        except OSError:
            libraries[name] = {v: undefined[v] for v in versions[name]}
    # Symbols without a version may stand in any of them.
    loose = {s for s in undefined[""] - defined if re.match(r"cu|nccl|nvshmem|nvrtc", s)}
    if libraries:
        next(iter(libraries.values())).setdefault("", loose)
    return libraries


def compile(name, nodes, folder):
    """A library of that name, which defines the symbols of each version."""
    with tempfile.TemporaryDirectory() as work:
        source, script = os.path.join(work, "stub.c"), os.path.join(work, "stub.map")
        with open(source, "w") as f:
            for s in sorted(set().union(*nodes.values())):
                value = 100 if s == "cudaGetDeviceCount" else 0  # cudaErrorNoDevice
                f.write(f"long {s}(void) {{ return {value}; }}\n")
        with open(script, "w") as f:
            for v, symbols in nodes.items():
                if v:
                    f.write(f"{v} {{ global: {' '.join(s + ';' for s in sorted(symbols))} }};\n")
        flags = ["-Wl,--version-script," + script] if any(nodes) else []
        subprocess.run(["cc", "-w", "-fno-builtin", "-shared", "-fPIC", "-Wl,-soname," + name, *flags, "-o", os.path.join(folder, name), source], check=True)


def main():
    first = starts()
    if first.returncode == 0:
        return 0
    for tool in ("cc", "readelf"):
        if not shutil.which(tool):
            print(f"torch does not start ({first.stderr.strip().splitlines()[-1]}), and there is no {tool} to make stubs of CUDA's libraries: install gcc and binutils", file=sys.stderr)
            return 1
    site = os.path.dirname(os.path.dirname(importlib.util.find_spec("torch").origin))
    folder = os.path.join(site, "nvidia", "cu13", "lib")  # torch's libraries have it in their search path
    os.makedirs(folder, exist_ok=True)
    for name, nodes in missing(os.path.join(site, "torch", "lib")).items():
        compile(name, nodes, folder)
    again = starts()
    if again.returncode != 0:
        print(f"torch does not start, with stubs of CUDA's libraries either:\n{again.stderr}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
