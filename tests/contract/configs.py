"""The methods that are held to the contract."""

from __future__ import annotations

from lgq_explore.quantizers import QUANTIZERS, methods_with_codes
from tests.planted_methods import PLANTED
from tests.planted_methods.opened_lgq import OpenedLGQConfig

CONFIGS = [*(QUANTIZERS[name] for name in methods_with_codes()), *PLANTED.values(), OpenedLGQConfig]
