"""What is promised of every method of quantization, as checks that its author can run.

    import pytest
    from lgq_explore import contract, register

    register(MyConfig)

    @pytest.mark.parametrize("promise", contract.promises(MyConfig))
    def test_a_promise(promise):
        promise.check()

`check_quantizer(MyConfig)` checks them all without pytest. The methods of this package are tested by the same checks.
"""

from __future__ import annotations

from .promises import CHECKS, Promise, check_quantizer, promises

__all__ = ["CHECKS", "Promise", "check_quantizer", "promises"]
