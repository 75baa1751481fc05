"""Frames on what codes mean in pixels."""

from __future__ import annotations

from .columns import INTEGER, NUMBER, TEXT, Columns

TOKEN_TABLE = Columns(
    "analysis.pictures.token_table",
    {
        "token": (INTEGER, "number of the token"),
        "image": (INTEGER, "number of the image"),
        "row": (INTEGER, "row on the latent grid"),
        "column": (INTEGER, "column on the latent grid"),
        "code": (INTEGER, "joint code"),
        "squared_distance": (NUMBER, "|z − z_q|², of the token to its code, in squared latent units"),
        "pixel_error": (INTEGER, "squared error over the token's own pixels, 8-bit values, three channels"),
    },
)
DISTORTION = Columns(
    "analysis.pictures.distortion",
    {
        "code": (INTEGER, "joint code, 0 … K − 1"),
        "count": (INTEGER, "tokens that hold the code"),
        "token_share": (NUMBER, "share of all tokens"),
        "quantization_error_share": (NUMBER, "share of the quantization error, that is of the summed squared distance"),
        "pixel_error_share": (NUMBER, "share of the summed pixel error"),
    },
)
CANDIDATES = Columns(
    "analysis.pictures.posterior",
    {
        "rank": (INTEGER, "rank of the code, 1 for the nearest"),
        "code": (INTEGER, "joint code"),
        "distance": (NUMBER, "distance of the token to the code, in the method's metric"),
        "responsibility": (NUMBER, "p of the code; NaN where the method has no temperature"),
    },
)
RECEPTIVE_FIELD = Columns(
    "analysis.pictures.receptive_field",
    {
        "reach": (INTEGER, "pixels beyond the token's own, on each side"),
        "side": (INTEGER, "side of the window, pixels"),
        "share": (NUMBER, "share of the squared gradient inside the window"),
    },
)
RECONSTRUCTION_QUALITY = Columns(
    "analysis.pictures.reconstruction_quality",
    {
        "image": (INTEGER, "number of the image"),
        "photograph": (TEXT, "name of the photograph that it was cut from"),
        "psnr_db": (NUMBER, "PSNR of the reconstruction, dB"),
    },
)
TURNED_OFF = Columns(
    "analysis.pictures.turn_codes_off",
    {
        "image": (INTEGER, "number of the image"),
        "photograph": (TEXT, "name of the photograph that it was cut from"),
        "reassigned": (INTEGER, "tokens that took another code"),
        "psnr_db": (NUMBER, "PSNR before, dB"),
        "psnr_db_after": (NUMBER, "PSNR after, dB"),
        "change_db": (NUMBER, "psnr_db_after − psnr_db"),
    },
)
