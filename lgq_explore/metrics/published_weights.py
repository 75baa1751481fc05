"""Published weights of feature networks: finding, downloading and checking them."""

from __future__ import annotations

import queue
import re
import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

NETWORK_PATIENCE_SECONDS = 8.0
"""How long a server may take to answer before the weights count as unavailable."""


class UnavailableError(Exception):
    """A metric has no value; the message gives the reason in one line."""


class Undrawn(TorchFunctionMode):
    """A context in which networks are built without drawing from torch's global generator, in this thread.

    Their parameters are uninitialised; weights are loaded into them afterwards.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        of_init = getattr(func, "__module__", None) == nn.init.__name__
        if of_init or func in (torch.Tensor.uniform_, torch.Tensor.normal_):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def cached_weights(url: str) -> Path:
    """The path of the weights at `url` in the torch hub cache, where they may be missing."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def weights_file(url: str) -> Path:
    """The weights at `url` in the torch hub cache; missing ones are downloaded if the server answers in time.

    Raises UnavailableError if it does not, and for a download whose SHA-256 does not start with the digits in its name.
    """
    path = cached_weights(url)
    if path.exists():
        return path
    refusal = _refusal(url)
    if refusal is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = re.search(r"-([a-f0-9]{8,})\.", path.name)
        try:
            torch.hub.download_url_to_file(url, str(path), digest and digest[1], progress=False)
        except (OSError, HTTPException, RuntimeError) as error:
            refusal = first_line(getattr(error, "reason", error))
    if refusal is not None:
        raise UnavailableError(
            f"the weights {path.name} are not in the torch hub cache and could not be downloaded ({refusal}): "
            f"put {url} into its folder checkpoints, which lies in TORCH_HOME/hub"
        )
    return path


def first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refusal(url: str) -> str | None:
    """Why `url` cannot be opened within `NETWORK_PATIENCE_SECONDS`, or None if it can."""
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=NETWORK_PATIENCE_SECONDS):
                answers.put(None)
        except (OSError, HTTPException, ValueError) as error:
            answers.put(first_line(getattr(error, "reason", error)))

    # In a thread, because the timeout covers the connection but not the look-up of the host's name.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=NETWORK_PATIENCE_SECONDS)
    except queue.Empty:
        return f"no answer within {NETWORK_PATIENCE_SECONDS:g} seconds"
