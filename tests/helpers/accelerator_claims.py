"""What the tests of the ledger expect of the second paper's claims; see test_claims.py."""

from decimal import Decimal

from claim_mutations import args, on_a_roofline, published

D = Decimal

NOT_REPRODUCED = {
    "x-table1-operators": "the builder halves the kernel on the reshaped map",
    "x-table1-se": "the builder has ratio 1 in every stage of B0",
    "x-table1-gpu-activations": "the builder has swish in the fused stages",
    "x-table1-tpu-activations": "the builder's stem is ReLU",
    "x-table3-x-b4-params": "21.1 M",
    "x-table3-b2-params": "9.11 M",
    "x-table3-x-b0-flops": "1.1 % below the count",
    "x-table3-x-b1-flops": "1.6 % below the count",
    "x-table3-x-b4-flops": "1.2 % below the count",
    "x-table3-x-b5-flops": "0.6 % below the count",
    "x-table3-x-b7-flops": "0.9 % below the count",
    "x-table3-efficientnet-flops-off": "by 2 to 5 %",
    "x-table3-regnety-4gf-params": "20.6 M; that of ResNet-50 is printed",
    "x-twice-as-fast": "1.90 at most on TPUv3",
    "x-mean-v100-83": "91 %",
    "x-regnet": "8 times and 107 %",
    "x-resnest": "47 and 14 %",
    "x-seven-times": "2.7 on V100, 1.9 at most over ResNeSt",
    "x-search-alone": "68 % on V100 at B0, 40 % on TPUv3 over all levels",
    "x-figure2-order-of-magnitude": "B7: 2.8 times",
    "x-efficiency-latency": "another bandwidth, or other latencies",
    "x-efficiency-figure2": "likewise",
    "x-depth-much-faster": "not at B6 and B7 for TPU",
    "x-lacs-gpu-deeper": "not at B2",
    "x-table6-gpu-depths": "they are those of the TPU column",
    "x-table6-gpu-resolutions": "neither column",
    "x-table6-tpu-depths": "from B5 on less deep",
    "x-table6-tpu-resolutions": "B6 and B7 are those for GPU",
    "x-table2-gives-table6-tpu": "depth base too small",
    "x-table5-table6": "depth of one search, resolution of the other",
    "x-table2-table6-deeper": "the tables disagree",
    "x-lacs-deeper": "TPU 78 %",
    "x-lacs-smaller-images": "TPU 34.8 %",
    "x-search-old-space": "a model of trained networks knows better ones",
    "x-table4-flops": "0.456 against 0.47; 0.920 against 0.91",
}
REJECTED = {
    "x-rows-params-lacs": "params are the other family's",
    "x-b0-params-printed-se": "5.7 M",
    "x-b0-params-printed-se-of-hidden": "8.9 M",
    "x-table4-space-to-depth-alone": "5.3 M; the fourfold squeeze-excite is missing",
    "x-intensity-regnety": "far below",
    "x-intensity-single-objective": "B5 to B7 are the LACS networks'",
    "x-intensity-lacs-table6": "those for TPU lie below at B6 and B7",
}
"""What this book supposed about the paper's tables, and found wrong."""
WITHIN_TOLERANCE = {
    "x-efficientnet-ten-times-fewer-flops",
    "x-figure3-lacs-bars",
    "x-lacs-on-top",
    "x-figure2-35-times",
}
# Ways to fail that no changed number of a paper shows: those are tests/claims/test_published.py's.
MUTATIONS = {
    "x_b0_layout": [("x-table1-layers", args(net="EN-X-B1"))],
    "x_counts": [
        ("x-table3-x-b7-params", args(nets={"EfficientNet-X-B7": "EN-X-GPU-B7"})),
        ("x-table4-fused", args(nets={"+ fused conv": "EN-X-B0+se-plain"})),
    ],
    "nearest_family": [("x-rows-count-single-objective", args(family="EN-X-GPU", others=["EN-X"]))],
    "largest_step": [
        ("x-table4-activation-largest-v100", args(device="TPUv3")),
        ("x-table4-fused-largest-tpu", args(device="V100")),
    ],
    "speedup_mean": [("x-mean", args(devices={"V100": "%", "TPUv3": "%"}))],
    "bars_against_table": [("x-figure3-lacs-bars", args(scaling="single-objective"))],
    "bars_mean": [("x-lacs-on-top", args(levels=[["B0", "B1", "B2", "B3"]]))],
    "latency_belongs_to": [
        ("x-rows-time-lacs", args(scaling="single-objective", other="LACS")),
    ],
    "bases_double_work": [("x-table2-doubles-work", args(low=1.95))],
    "levels_of_family": [
        ("x-table6-depths-are-nominal", args(family="EN-X-GPU")),
        ("x-table6-single-objective-resolutions", args(scaling="LACS TPU")),
    ],
    "levels_from_bases": [("x-table2-gives-table6-gpu", args(within=0.05))],
    "searches_agree": [("x-table5-within-6-percent", args(within=0.05))],
    "ridge_over_intensity": [("x-figure2-memory-bound", args(bound=3))],
    "intensity_within_model": [
        ("x-intensity-efficientnets", args(nets={"EfficientNet-B0": "EN-X-B0"})),
    ],
    "intensity_tells": [("x-intensity-lacs-builder", args(families=["EN-X-GPU", "EN-X"]))],
    "equation2_counts": [
        ("x-equation2", args(kinds={"conv": "MBConv"})),
        ("x-equation2", on_a_roofline("equation2", lambda found: (found[0], found[1] + 1))),
        ("x-equation2", on_a_roofline("equation2", lambda found: (2 * found[0], found[1]))),
    ],
    "either_is_faster": [
        ("x-fused-depends-on-shape", on_a_roofline("fused_gain", lambda gain: gain + 1)),
        ("x-fused-depends-on-shape", on_a_roofline("fused_gain", lambda gain: gain / 2)),
    ],
}
# Already "not reproduced": once something is changed, the verdict turns.
CURES = {
    "speedup_reaches": ("x-twice-as-fast", args(devices=["V100"])),
    "search_in_table6": (
        "x-table5-table6",
        published("x_searches", lambda r: r.searched_at == "X-B7", x_b7_resolution=368),
    ),
    "same_device_deeper": (
        "x-table2-table6-deeper",
        published("x_bases", lambda r: r.scaling == "LACS TPU", depth=D("1.30")),
    ),
    "changed_by_lacs": ("x-lacs-deeper", args(high=80)),
    "builder_depth_grows_fastest": ("x-depth-much-faster", args(families=["EN-X-GPU"])),
    "builder_deeper": ("x-lacs-gpu-deeper", args(levels=["B3", "B4", "B5", "B6", "B7"])),
    "nothing_better_than_b0": ("x-search-old-space", args(errors=4)),
}
