"""How fast networks are scored and searched, and a race of samplers.

    python benchmarks/searching.py
    python benchmarks/searching.py --race data/searches/race.json
    python benchmarks/searching.py --found data/records/found-cpu.jsonl

On one core 10,000 networks of a space are to be scored by roofline in less than 5 s, and 20,000
evaluations of the table searched in less than 1 s. The race, some minutes, asks how good a network
of B0's own space each sampler finds that is no slower than B0 on an A100's roofline, and how long
it takes; the chapter on searching shows it. Optuna's samplers run in memory, without a journal.

``--found`` searches among times that a block table (``--table``) predicts, and times the ten best
and B0 whole: what a search picks is what its prediction flatters (the winner's curse).

Seconds are those of the processor, on one core: other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

from repro.paths import root
from repro.runtime.device import machine
from repro.runtime.jobs import job
from repro.runtime.sweep import sweep
from repro.search.blocktable import BlockTable
from repro.search.budgets import read_budget
from repro.search.evolve import evolve, within
from repro.search.latency import roofline
from repro.search.problem import Problem
from repro.search.space import ACCELERATOR, EFFICIENTNET, Codes, Floats, Sums
from repro.stored import stored

SEEDS = range(3)
LOOKS = (500, 1_000, 2_000, 5_000, 10_000, 20_000)
"""Evaluations after which the best so far is noted."""
Clock = list[tuple[int, float]]
"""Evaluations made, and seconds until then."""
Worth = Callable[[Codes], Floats]
"""Top-1 in percent where a point keeps to the budget; else below zero."""
Runner = Callable[[Worth, int, int], Iterator[Codes]]
"""Points in the order of evaluation, for so many evaluations, from a seed."""


def by_chance(worth: Worth, evaluations: int, seed: int) -> Iterator[Codes]:
    rng = np.random.default_rng(seed)
    for _ in range(0, evaluations, 500):
        codes = EFFICIENTNET.sample(rng, 500)
        worth(codes)
        yield codes


def regularised(worth: Worth, evaluations: int, seed: int) -> Iterator[Codes]:
    """Regularised evolution (Real et al., 2019): the fittest of 25 of 100 changes once; the oldest
    dies."""
    rng = np.random.default_rng(seed)
    living = list(EFFICIENTNET.sample(rng, 100))
    fit = worth(np.array(living)).tolist()
    yield np.array(living)
    for _ in range(evaluations - len(living)):
        parent = max(rng.integers(0, len(living), 25).tolist(), key=fit.__getitem__)
        child = EFFICIENTNET.mutate(rng, living[parent][None], rate=0.0)
        living, fit = [*living[1:], child[0]], [*fit[1:], float(worth(child)[0])]
        yield child


def optuna_sampler(name: str) -> Runner:
    def run(worth: Worth, evaluations: int, seed: int) -> Iterator[Codes]:
        import optuna

        from repro.search.shared import distributions

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = getattr(optuna.samplers, name)(seed=seed)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        base = EFFICIENTNET.decode(EFFICIENTNET.own)
        for _ in range(evaluations):
            trial = study.ask(distributions(EFFICIENTNET))
            code = EFFICIENTNET.encode({**base, **trial.params})[None]
            study.tell(trial, float(worth(code)[0]))
            yield code

    return run


RUNNERS: dict[str, tuple[Runner | None, int]] = {
    "random": (by_chance, 20_000),
    "regularised evolution": (regularised, 10_000),
    "TPE (Optuna)": (optuna_sampler("TPESampler"), 2_000),
    "NSGA-II (Optuna)": (optuna_sampler("NSGAIISampler"), 2_000),
    "ours": (None, 20_000),
}
"""Who runs, and how many evaluations in the time that there is."""


def race() -> Iterator[dict[str, object]]:
    """A row for each sampler, seed and number of evaluations."""
    problem = Problem(EFFICIENTNET, read_budget("1x"), "A100")
    charge = Sums(EFFICIENTNET, problem.cost)

    def score(codes: Codes) -> tuple[Floats, Floats]:
        return problem.top1(codes), charge(codes)

    def worth(codes: Codes) -> Floats:
        reached, cost = score(codes)
        return np.where(cost <= problem.limit, reached, -cost / problem.limit)

    worth(EFFICIENTNET.sample(np.random.default_rng(0), 20_000))  # fits the table, fills the sums
    for name, (runner, evaluations) in RUNNERS.items():
        for seed in SEEDS:
            start, parts, clock = time.process_time(), [], [(0, 0.0)]

            def note(made: int, start: float = start, clock: Clock = clock) -> None:
                clock.append((clock[-1][0] + made, time.process_time() - start))

            if runner is None:
                found = evolve(EFFICIENTNET, score, problem.fitness, evaluations, seed, note)
                parts.append(found.codes)
            else:
                for codes in runner(worth, evaluations, seed):
                    parts.append(codes)
                    note(len(codes))
            values = worth(np.concatenate(parts))
            for looks in (n for n in LOOKS if n <= evaluations):
                took = next(seconds for made, seconds in clock if made >= looks)
                row = {"sampler": name, "seed": seed, "evaluations": looks}
                top1 = round(float(values[:looks].max()), 3)
                yield {**row, "top1": top1, "seconds": round(took, 3)}
            print(f"{name:<24}{seed:>3}{evaluations:>8,}{values.max():>8.2f}{clock[-1][1]:>9.2f} s")


def fastest(work: Callable[[], object], rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return median(times)


def speeds() -> None:
    rng = np.random.default_rng(0)
    for space in (EFFICIENTNET, ACCELERATOR):
        codes = space.sample(rng, 10_000)
        one = fastest(lambda s=space, c=codes: [roofline("V100")(s.network(x)) for x in c[:200]], 3)
        print(f"{space.name:<14}{'one by roofline':<40}{one / 200:>9.6f} s")
        whole = fastest(lambda s=space, c=codes: Sums(s, roofline("V100"))(c), 3)
        print(f"{space.name:<14}{'10,000 by roofline, all from nothing':<40}{whole:>9.3f} s")
    start = time.process_time()
    problem = Problem(EFFICIENTNET, read_budget("1x"), "V100")
    problem.top1(EFFICIENTNET.own[None])
    print(f"{'efficientnet':<14}{'the table is fitted':<40}{time.process_time() - start:>9.3f} s")
    print(
        f"{'efficientnet':<14}{'20,000 evaluations searched':<40}{fastest(problem.cheap):>9.3f} s"
    )


WINNERS = 10


def found(out: Path, table_file: Path) -> None:
    """Time B0 and the best that 20,000 evaluations find within B0's time by a block table."""
    table = BlockTable.of(stored(table_file))
    charge, base = Sums(EFFICIENTNET, table), EFFICIENTNET.own
    top1 = Problem(EFFICIENTNET, read_budget("1x"), "A100").top1
    fitness = within(float(charge(base[None])[0]))
    result = evolve(EFFICIENTNET, lambda codes: (top1(codes), charge(codes)), fitness)
    codes = [base, *result.codes[result.best(fitness, WINNERS)]]
    nets = [EFFICIENTNET.network(code) for code in codes]
    records = sweep([job(net, protocol=table.protocol) for net in nets], out).records
    for net, record in zip(nets, records, strict=True):
        said, took = 1e3 * table(net), 1e3 * record.quartiles[1]
        print(f"{net.name:<44}{said:>8.2f} ms said{took:>8.2f} ms{took / said - 1:>8.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--race", type=Path, metavar="FILE", help="race, and write it there")
    parser.add_argument("--found", type=Path, metavar="FILE", help="time what was found")
    cpu = root() / "data" / "records" / "block-table-cpu.jsonl"
    parser.add_argument("--table", type=Path, metavar="FILE", default=cpu, help="blocks' times")
    options = parser.parse_args()
    threadpool_limits(1)
    if options.found is not None:
        found(options.found, options.table)
        return
    if options.race is None:
        speeds()
        return
    import optuna

    about = {
        "question": "best predicted top-1 of a network of B0's space, no slower than B0 on an "
        "A100's roofline, batch 128",
        "machine": machine("cpu").device_name,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "optuna": optuna.__version__,
    }
    rows = list(race())
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    text = f'{{"about": {json.dumps(about, indent=1)},\n "rows": [\n{lines}\n]}}\n'
    options.race.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
