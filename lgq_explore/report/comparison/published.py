"""Numbers that papers and projects have published, beside which a comparison's own ones stand, never among them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published number: what it is of, and who says so."""

    method: str
    setting: str
    codebook_size: int
    rfid: float | None
    used: str
    remark: str
    source: str
    address: str


_LGQ = ("LGQ, abstract and tables", "https://arxiv.org/abs/2602.16086")
_SIMVQ = ("SimVQ, README", "https://github.com/youngsheen/SimVQ")
_IBQ = ("IBQ, README of SEED-Voken", "https://github.com/TencentARC/SEED-Voken")
_TAMING = ("taming-transformers, README", "https://github.com/CompVis/taming-transformers")
_LLAMAGEN = ("LlamaGen, README", "https://github.com/FoundationVision/LlamaGen")
_128, _256 = "ImageNet, 128 px", "ImageNet, 256 px"
_RATIO = "by its ratio to LGQ in the abstract"

PUBLISHED = (
    Published("LGQ", _128, 16_384, 110.64, "49 %", "no GAN: only ratios compare", *_LGQ),
    Published("FSQ", _128, 16_384, 125.56, "", _RATIO, *_LGQ),
    Published("SimVQ", _128, 16_384, 117.78, "", _RATIO, *_LGQ),
    *(
        Published("SimVQ", _128, size, rfid, "100 %", "", *_SIMVQ)
        for size, rfid in ((1024, 3.67), (8192, 2.98), (65_536, 2.24), (262_144, 1.99))
    ),
    Published("VQGAN", _128, 65_536, 3.74, "1.4 %", "", *_SIMVQ),
    Published("FSQ", _128, 64_000, 2.80, "", "", *_SIMVQ),
    Published("LFQ", _128, 65_536, 2.88, "", "", *_SIMVQ),
    *(
        Published("IBQ", _256, size, rfid, used, "", *_IBQ)
        for size, rfid, used in (
            (1024, 2.24, "99 %"),
            (8192, 1.87, "98 %"),
            (16_384, 1.37, "96 %"),
            (262_144, 1.00, "84 %"),
        )
    ),
    Published("VQGAN, f = 16", _256, 1024, 7.94, "", "", *_TAMING),
    Published("VQGAN, f = 16", _256, 16_384, 4.98, "", "", *_TAMING),
    Published("VQGAN of LlamaGen, f = 16", _256, 16_384, 2.19, "97 %", "", *_LLAMAGEN),
)
"""Reconstruction FID by Inception's features, and the share of codes in use, where it is given."""
