"""Key numbers of the chapter "EfficientNet-X", and its tables of timings and of timm's networks."""

from __future__ import annotations

from functools import cache

import pandas as pd

from repro import reference
from repro.analysis.accelerators.efficientnet_x import intensity
from repro.analysis.accelerators.x_network import fused_share
from repro.analysis.accelerators.x_times import Device, activations, ratios
from repro.arch import get
from repro.book.kit.tables import PageTable, table
from repro.complexity import complexity


def blocks() -> dict[str, float]:
    """Of X-B0 beside EfficientNet-B0, counted and as Tables 3 and 4 print them."""
    share = fused_share(get("EN-X-B0"))
    printed = {r.model: r.v100_fp16_ms_batch128 for r in reference.x_results()}
    steps = {r.model: r.v100_fp16_ms_batch128 for r in reference.x_ablation()}
    fused, last = list(steps.values())[-2:]
    return {
        "enx_flops_ratio": complexity(get("EN-X-B0")).macs / complexity(get("EN-TF-B0")).macs,
        "enx_v100_b0": float(printed["EfficientNet-B0"] / printed["EfficientNet-X-B0"]),
        "enx_fused_flops": share["flops"],
        "enx_fused_params": share["params"],
        "enx_relu_step": float(fused / last),
        "enx_without_relu": float(steps["EfficientNet-B0"] / fused),
    }


def variants(frame: pd.DataFrame) -> dict[str, float]:
    """From `x_network.variants`: parameters of the readings of Table 1."""
    params = frame.set_index("network").mparams
    return {
        "enx_params_code": params["EN-X-B0"],
        "enx_params_se": params["EN-X-B0+se-table1"],
        "enx_params_se_hidden": params["EN-X-B0+se-table1-hidden"],
        "enx_params_k3": round(1e6 * (params["EN-X-B0+k3"] - params["EN-X-B0"])),
    }


def table3(frame: pd.DataFrame) -> dict[str, float]:
    """From `efficientnet_x.table3`: how many rows agree, and how far others are off."""
    rows = frame.set_index("model")
    short = 1 - rows.gflops_printed.astype(float) / rows.gflops_ours
    off = short[~rows.gflops_agrees]
    one = complexity(get("EN-X-B1"))
    regnets = rows[rows.index.str.startswith("RegNet")]
    low = regnets.intensity_low / regnets.intensity_printed.astype(float)
    own, gpu = intensity("EN-X-B7"), intensity("EN-X-GPU-B7")
    return {
        "enx_rows": len(frame),
        "enx_params_agree": int(frame.mparams_agrees.sum()),
        "enx_flops_agree": int(frame.gflops_agrees.sum()),
        "enx_flops_short": 100 * float(off[off.index.str.contains("Net-X")].max()),
        "enx_flops_short_en": 100 * float(off[off.index.str.startswith("EfficientNet-B")].max()),
        "enx_flops_minor": 100 * (one.se_macs + one.classifier_macs) / one.macs,
        "enx_regnet_params": rows.mparams_ours["RegNetY-4.0GF"],
        "enx_inception_params": rows.mparams_ours["Inception-v4"],
        "enx_inception_flops": rows.gflops_ours["Inception-v4"],
        "enx_regnet_i_low": float(low.min()),
        "enx_regnet_i_high": float(low.max()),
        "enx_i_printed": float(rows.intensity_printed["EfficientNet-X-B7"]),
        "enx_i_own_low": own[0],
        "enx_i_own_high": own[1],
        "enx_i_gpu_low": gpu[0],
        "enx_i_gpu_high": gpu[1],
    }


def lacs(frame: pd.DataFrame) -> dict[str, int]:
    """From `efficientnet_x.largest_level`: Table 6's two depths of X-B7."""
    table6 = frame[frame.source == "Table 6"].set_index("device").depth
    return {"enx_depth_t6_gpu": int(table6["GPU"]), "enx_depth_t6_tpu": int(table6["TPU"])}


def headlines(frame: pd.DataFrame) -> dict[str, int]:
    """From `efficientnet_x.claims_frame`: how many claims hold."""
    return {
        "enx_heads": len(frame),
        "enx_heads_hold": int((frame.verdict != "not reproduced").sum()),
    }


@cache
def _timm() -> pd.DataFrame:
    """All differences from timm's networks; imports torch and timm, builds six networks on meta."""
    from repro.analysis.accelerators.timm_x import timm_differences

    return pd.DataFrame(timm_differences())


def timm_frame() -> pd.DataFrame:
    """Differences from timm's networks, each kind once.

    Returns:
        Columns difference, authors, timm (values of the first model), models (how many).
    """
    found = _timm()
    kind = found.what.str.replace(r" of block \d+", " of one block", regex=True)
    rows = []
    for what, part in found.groupby(kind, sort=False):
        first = part.iloc[0]
        models = part.model.nunique()
        rows.append(
            {"difference": what, "authors": first.authors, "timm": first.timm, "models": models}
        )
    return pd.DataFrame(rows)


def timm_params() -> dict[str, float]:
    """By how many percent timm's networks have more parameters, at most."""
    from repro.analysis.accelerators.timm_x import TIMM_MODELS

    more = _timm().groupby("model").params.sum()
    share = [100 * more[name] / complexity(get(ours)).params for name, ours in TIMM_MODELS.items()]
    return {"enx_timm_most": float(max(share))}


def on_cpu() -> dict[str, float]:
    """Recorded time of X-B0 to X-B2 over EfficientNet's on the first recorded CPU."""
    found = ratios("cpu").drop_duplicates("network").set_index("network")
    time, each = found.time, found.each
    swish = [a / b for a, b in zip(each["EN-X-B0+swish"], each["EN-X-B0+relu"], strict=True)]
    return {
        **{f"enx_cpu_b{i}": float(time[f"EN-X-B{i}"]) for i in range(3)},
        "enx_cpu_relu": float(time["EN-X-B0+relu"]),
        "enx_cpu_swish_low": min(swish),
        "enx_cpu_swish_high": max(swish),
        "enx_cpu_recordings": len(each["EN-X-B0"]),
    }


def activations_page() -> PageTable:
    """What swish costs, by machine and way, with intervals."""
    found = activations()
    names = {"mixed": "mixed over ReLU", "swish": "swish over ReLU", "way": "how"}
    return table(
        found.rename(columns=names),
        "Time of a network with the code's activations (mixed) and with swish throughout, over its "
        "time with ReLU throughout; in brackets the interval, as above.",
    )


def ratios_page(device: Device) -> PageTable:
    """Recorded ratios as a table; without records a table that says so."""
    found = ratios(device)
    conditions = (
        "one image at a time, single precision"
        if device == "cpu"
        else "128 images at once, half precision"
    )
    rows = pd.DataFrame(
        {
            "network": found.network,
            "over": found.over,
            "flops ratio": found.flops,
            "time ratio": found.time,
            "interval": [f"{r.low:.2f} to {r.high:.2f}" for r in found.itertuples()],
            "each recording": [", ".join(f"{x:.2f}" for x in each) for each in found.each],
        }
    )
    machines = list(dict.fromkeys(found.machine))
    if len(machines) > 1:
        rows["machine"] = found.machine
    where = f" on {', '.join(machines)}"
    text = f"Recorded inference times as ratios{where}" if machines else "Nothing is recorded yet"
    return table(
        rows,
        f"{text}: {device}, {conditions}. Flops: one multiply-add as one.",
        formats={"flops ratio": ".2f", "time ratio": ".2f"},
    )
