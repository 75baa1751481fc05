"""Numbers that papers and projects have published, beside which a comparison's own ones stand, never among them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published number: what it is of, and who says so."""

    method: str
    setting: str
    codebook_size: int
    rfid: float
    used: str
    remark: str
    source: str
    address: str


_LGQ = ("LGQ (paper)", "https://arxiv.org/abs/2602.16086")
_SIMVQ = ("SimVQ (README, Table 1)", "https://github.com/youngsheen/SimVQ")
_SIMVQ_PAPER = ("SimVQ (paper)", "https://arxiv.org/abs/2411.02038")
_IBQ = ("IBQ (paper)", "https://arxiv.org/abs/2412.02692")
_TAMING = ("taming-transformers (README)", "https://github.com/CompVis/taming-transformers")
_LLAMAGEN = ("LlamaGen (paper)", "https://arxiv.org/abs/2406.06525")
_128, _256 = "ImageNet, 128 px", "ImageNet, 256 px"
_RATIO = "by its ratio to LGQ in the abstract"

PUBLISHED = (
    Published("LGQ", _128, 16_384, 110.64, "49 %", "second-hand; no GAN, so that only ratios compare", *_LGQ),
    Published("FSQ", _128, 16_384, 125.56, "", _RATIO, *_LGQ),
    Published("SimVQ", _128, 16_384, 117.78, "", _RATIO, *_LGQ),
    Published("SimVQ", _128, 1024, 3.67, "100 %", "", *_SIMVQ_PAPER),
    Published("SimVQ", _128, 8192, 2.98, "100 %", "", *_SIMVQ_PAPER),
    Published("SimVQ", _128, 65_536, 2.24, "100 %", "", *_SIMVQ),
    Published("SimVQ", _128, 262_144, 1.99, "100 %", "", *_SIMVQ),
    Published("VQGAN", _128, 65_536, 3.74, "1.4 %", "", *_SIMVQ),
    Published("FSQ", _128, 64_000, 2.80, "100 %", "", *_SIMVQ),
    Published("LFQ", _128, 65_536, 2.88, "100 %", "", *_SIMVQ),
    Published("IBQ", _256, 1024, 2.24, "99 %", "", *_IBQ),
    Published("IBQ", _256, 8192, 1.87, "98 %", "", *_IBQ),
    Published("IBQ", _256, 16_384, 1.37, "96 %", "", *_IBQ),
    Published("IBQ", _256, 262_144, 1.00, "84 %", "", *_IBQ),
    Published("VQGAN, f = 16", _256, 1024, 7.94, "", "", *_TAMING),
    Published("VQGAN, f = 16", _256, 16_384, 4.98, "", "", *_TAMING),
    Published("VQGAN of LlamaGen, f = 16", _256, 16_384, 2.19, "97 %", "", *_LLAMAGEN),
)
"""Reconstruction FID by Inception's features, and the share of codes in use, where it is given."""
