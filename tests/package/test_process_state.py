"""Tests that the library leaves the state shared by all threads alone, read from the source of every module.

Random generators, filters of warnings, the environment, standard streams, handlers of signals and the like belong to
the program: two runs that train in one kernel would else change each other's numbers, or what a cell prints.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import lgq_explore

PACKAGE = Path(lgq_explore.__file__).parent
ENTRY = {"cli/entry.py", "cli/streams.py"}
"""The program itself, which owns its process: its signals and its streams. Commands do not."""

EXCEPTIONS = {
    ("bench/fresh_process.py", "torch.set_num_threads"): "it is the program of a process that it starts for itself",
}

SHARED = {
    "contextlib.chdir",
    "contextlib.redirect_stderr",
    "contextlib.redirect_stdout",
    "faulthandler.enable",
    "lightning_fabric.seed_everything",
    "locale.setlocale",
    "logging.basicConfig",
    "logging.disable",
    "numpy.set_printoptions",
    "numpy.seterr",
    "os.chdir",
    "os.dup2",
    "os.fchdir",
    "os.putenv",
    "os.umask",
    "os.unsetenv",
    "pandas.options",
    "pandas.set_option",
    "random",
    "resource.setrlimit",
    "signal.alarm",
    "signal.pthread_sigmask",
    "signal.set_wakeup_fd",
    "signal.setitimer",
    "signal.signal",
    "socket.setdefaulttimeout",
    "sys.setprofile",
    "sys.setrecursionlimit",
    "sys.settrace",
    "torch.cuda.manual_seed",
    "torch.cuda.manual_seed_all",
    "torch.cuda.set_rng_state",
    "torch.default_generator",
    "torch.hub.set_dir",
    "torch.manual_seed",
    "torch.nn.attention.sdpa_kernel",
    "torch.random",
    "torch.seed",
    "torch.set_default_device",
    "torch.set_default_dtype",
    "torch.set_float32_matmul_precision",
    "torch.set_num_interop_threads",
    "torch.set_num_threads",
    "torch.set_printoptions",
    "torch.set_rng_state",
    "torch.use_deterministic_algorithms",
    "warnings.catch_warnings",
    "warnings.filterwarnings",
    "warnings.resetwarnings",
    "warnings.simplefilter",
}
"""Names that no module may use, nor anything within them."""

OWN_GENERATORS = {"BitGenerator", "Generator", "PCG64", "Philox", "RandomState", "SeedSequence", "default_rng"}
"""Of numpy.random; all else there draws from the global generator."""

NOT_ASSIGNED = ("os.environ", "sys.stderr", "sys.stdin", "sys.stdout", "torch.backends")
CHANGES = {"clear", "pop", "popitem", "setdefault", "update"}  # of os.environ

DRAWING_FUNCTIONS = {
    f"torch.{name}"
    for name in ("bernoulli", "multinomial", "normal", "poisson", "rand", "randint", "randn", "randperm")
} | {"sklearn.cluster.KMeans", "torch.nn.init.kaiming_uniform_", "torch.nn.init.orthogonal_", "torch.nn.init.uniform_"}
DRAWING_METHODS = {"bernoulli_", "build", "exponential_", "initialize", "multinomial", "normal_", "random_", "uniform_"}
"""Of tensors, of configs and of quantizers."""
GENERATOR_ARGUMENTS = {"generator", "random_state"}
DRAWING_WHATEVER_IS_PASSED = {
    *(f"torch.{name}_like" for name in ("rand", "randint", "randn")),
    *(f"torch.nn.{name}" for name in ("Bilinear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "Embedding")),
    *(f"torch.nn.{name}" for name in ("GRU", "LSTM", "Linear", "MultiheadAttention")),
}
"""When called: as they are made, layers draw their first weights from the global generator."""


@dataclass(frozen=True, order=True)
class Fault:
    """What a line of a module does to the process."""

    line: int
    what: str


def faults_of(source: str) -> set[Fault]:
    """Every use of shared state in the source of a module, and every number drawn from a global generator."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    found: set[Fault] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute | ast.Name):
            found |= {Fault(node.lineno, name) for name in _dotted_names(node, names) if _is_shared(name)}
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Name) and not isinstance(node.ctx, ast.Load):
            target = _dotted(node, names)
            if target.startswith(NOT_ASSIGNED):
                found.add(Fault(node.lineno, f"{target} ="))
        if isinstance(node, ast.Call):
            found |= {Fault(node.lineno, f"{name}()") for name in _faults_of_call(node, names)}
    return found


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, and what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted_names(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names if node.level == 0)
    elif isinstance(node, ast.Attribute):
        yield _dotted(node, names)


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """The full name of what an expression stands for; empty where it does not begin with an import."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Subscript):
        return _dotted(node.value, names)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _is_shared(name: str) -> bool:
    module, _, last = name.rpartition(".")
    if module == "numpy.random" and last not in OWN_GENERATORS:
        return True
    return name in SHARED or any(name.startswith(f"{shared}.") for shared in SHARED)


def _faults_of_call(call: ast.Call, names: dict[str, str]) -> Iterator[str]:
    name = _dotted(call.func, names)
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name.startswith("os.environ.") and method in CHANGES:
        yield name
    if name == "builtins.setattr" or (isinstance(call.func, ast.Name) and call.func.id in ("setattr", "delattr")):
        target = _dotted(call.args[0], names)
        if target in ("os", "sys") or target.startswith(NOT_ASSIGNED):
            yield f"setattr of {target}"
    if name in DRAWING_WHATEVER_IS_PASSED:
        yield name
    passed = {keyword.arg for keyword in call.keywords} & GENERATOR_ARGUMENTS
    if name in DRAWING_FUNCTIONS and not passed:
        yield name
    if not name and method in DRAWING_METHODS and not passed and len(call.args) < 2:
        yield f".{method}"


MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("module", [module for module in MODULES if module not in ENTRY])
def test_a_module_leaves_alone_what_a_process_shares(module: str) -> None:
    faults = faults_of((PACKAGE / module).read_text())
    assert sorted(fault for fault in faults if (module, fault.what) not in EXCEPTIONS) == []


@pytest.mark.parametrize("module", sorted(ENTRY))
def test_the_entry_owns_something(module: str) -> None:
    assert faults_of((PACKAGE / module).read_text())


@pytest.mark.parametrize(("module", "what"), EXCEPTIONS)
def test_an_exception_is_still_one(module: str, what: str) -> None:
    assert what in {fault.what for fault in faults_of((PACKAGE / module).read_text())}, "take it off the list"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import torch\ntorch.manual_seed(0)", "torch.manual_seed"),
        ("from torch import manual_seed as seeded", "torch.manual_seed"),
        ("import torch\nwith torch.random.fork_rng(): pass", "torch.random.fork_rng"),
        ("import torch\nx = torch.randn(3)", "torch.randn()"),
        ("import torch\nx = torch.rand_like(y)", "torch.rand_like()"),
        ("import torch\nx = torch.empty(3).normal_()", ".normal_()"),
        ("from torch import nn\nx = nn.Linear(2, 3)", "torch.nn.Linear()"),
        ("from torch import nn\nnn.init.uniform_(x)", "torch.nn.init.uniform_()"),
        ("from sklearn.cluster import KMeans\nKMeans(3)", "sklearn.cluster.KMeans()"),
        ("x = config.build(8)", ".build()"),
        ("quantizer.initialize(tokens)", ".initialize()"),
        ("import numpy as np\nnp.random.seed(0)", "numpy.random.seed"),
        ("import numpy as np\nx = np.random.rand(3)", "numpy.random.rand"),
        ("from numpy.random import shuffle", "numpy.random.shuffle"),
        ("import random", "random"),
        ("from random import shuffle", "random.shuffle"),
        ("import warnings\nwith warnings.catch_warnings(): pass", "warnings.catch_warnings"),
        ("from warnings import filterwarnings", "warnings.filterwarnings"),
        ("import contextlib\nwith contextlib.redirect_stdout(x): pass", "contextlib.redirect_stdout"),
        ("import os\nos.environ['A'] = 'b'", "os.environ ="),
        ("import os\ndel os.environ['A']", "os.environ ="),
        ("from os import environ\nenviron['A'] = 'b'", "os.environ ="),
        ("import os\nos.environ |= {}", "os.environ ="),
        ("import os\nos.environ.setdefault('A', 'b')", "os.environ.setdefault()"),
        ("import os\nos.putenv('A', 'b')", "os.putenv"),
        ("import os\nos.umask(0)", "os.umask"),
        ("import signal\nsignal.signal(signal.SIGINT, x)", "signal.signal"),
        ("import sys\nsys.stdout = x", "sys.stdout ="),
        ("import sys\nsetattr(sys, 'stdout', x)", "setattr of sys()"),
        ("import os\nos.dup2(1, 2)", "os.dup2"),
        ("import locale\nlocale.setlocale(locale.LC_ALL)", "locale.setlocale"),
        ("from torch.nn.attention import sdpa_kernel", "torch.nn.attention.sdpa_kernel"),
        ("import torch\ntorch.backends.cudnn.benchmark = True", "torch.backends.cudnn.benchmark ="),
    ],
)
def test_a_fault_is_found(source: str, what: str) -> None:
    assert what in {fault.what for fault in faults_of(source)}


@pytest.mark.parametrize(
    "source",
    [
        "import os\nx = os.environ.get('A')\ny = {**os.environ, 'A': 'b'}",
        "import sys\nprint('a', file=sys.stderr)",
        "import warnings\nwarnings.warn('a')",
        "import signal\nx = signal.Signals(2).name",
        "import torch\nx = torch.randn(3, generator=g)\ny = torch.Generator().manual_seed(0)",
        "import torch\nx = torch.empty(3).normal_(generator=g)",
        "from torch import nn\nx = skip_init(nn.Linear, 2, 3)",
        "import numpy as np\nx = np.random.default_rng(0).permutation(3)",
        "x = config.build(8, generator)",
    ],
)
def test_what_changes_nothing_is_no_fault(source: str) -> None:
    assert faults_of(source) == set()
