"""Training runs that never were: the networks of a sweep file, with errors that a law states."""

from functools import cache

from made_up_timings import CPU

from repro.paths import root
from repro.records import DataUsed, EpochScore, Score, TrainingRecord, stamp, training_inputs
from repro.runtime.jobs import subject_of
from repro.training.sweep import read

IMAGES = 10_000


@cache
def jobs(plan, data):
    """The runs of a sweep file on one data set."""
    planned = read(root() / "data" / "sweeps" / f"{plan}.yaml")
    return tuple(job.run for job in planned if job.run.setting.data == data)


def runs(law, plan="proxy_cpu", data="cifar10", machine=CPU):
    """A sweep as if it had been run.

    Args:
        law: from base, strategy (None for the base itself), times the flops as the sweep asks,
            and seed to the top-1 error in percent, or None for a run that is missing.
    """
    made = []
    for run in jobs(plan, data):
        subject = subject_of(run.net, run.base, run.strategy, run.scale)
        times = 1 if run.scale is None else 4 if run.scale > 2.83 else 2
        strategy, seed = run.strategy and run.strategy.name, run.setting.seed
        error = law(run.base, strategy, times, seed)
        if error is not None:
            made.append(_record(subject, run.setting.model_dump(mode="json"), error, machine))
    return made


def _record(subject, setting, error, machine):
    score = Score(images=IMAGES, wrong=round(error * IMAGES / 100), wrong5=0, loss=1.0)
    start = stamp(TrainingRecord.entry, training_inputs(subject, setting, "0", 1), machine)
    return TrainingRecord(
        **start,
        subject=subject,
        setting=setting,
        data=DataUsed(about="made up", digest="0", classes=10, train=9, holdout=1, test=IMAGES),
        curve=(EpochScore(epoch=1, train_loss=error / 30, holdout=score),),
        reported_epoch=1,
        test=score,
        train_s=subject.flops / 1e6,
        data_s=0.0,
    )


GAINS = {None: 0.0, "d": 4.0, "w": 4.0, "r": 3.0, "dwr": 5.0, "alpha=2/3": 5.0, "dWr": 5.0}
BASES = {"proxy-EN": 30.0, "proxy-Y": 36.0, "proxy-Z": 40.0}
SPREAD = {None: 1.0, "d": -1.0, "w": 2.0, "r": -2.0, "dwr": 0.5, "alpha=2/3": -1.5, "dWr": 1.0}


def law(gains, noise=0.1):
    """Errors of which every way gains the same on all bases, and seeds differ in every way."""

    def error(base, strategy, times, seed):
        share = {1: 0, 2: 0.5, 4: 1}[times]
        return BASES[base] - share * gains[strategy] + noise * SPREAD[strategy] * (seed - 1)

    return error
