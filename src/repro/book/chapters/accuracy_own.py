"""The section on our own runs, piece by piece: each is shown if its runs are recorded.

Everything that a piece says about a result is computed from the runs and the ledger's verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from repro.analysis.accuracy import proxies as proxy
from repro.analysis.accuracy.published import each
from repro.book.chapters import does_accuracy_survive as figures
from repro.book.kit.figures import PageFigure, show
from repro.book.kit.folds import PageBlock
from repro.book.kit.tables import PageTable, table
from repro.claims import Judgement
from repro.records import TrainingRecord

Shown = PageFigure | PageTable | PageBlock

NOTHING = PageBlock("<p><em>No such runs are recorded.</em></p>", "*No such runs are recorded.*")


@dataclass(frozen=True)
class OwnRuns:
    """Training runs to show.

    Attributes:
        records: of training. path: of a reader's file that they come from, or None.
    """

    records: tuple[TrainingRecord, ...]
    path: str | None = None

    @cached_property
    def data(self) -> list[str]:
        """Data sets with runs to compare; the main one first."""
        return proxy.data_sets(self.records)

    @property
    def main(self) -> str:
        """The data set that the verdicts are about."""
        return self.data[0] if self.data else "cifar10"

    @cached_property
    def runs(self) -> dict[str, pd.DataFrame]:
        """Runs by data set."""
        return {data: proxy.runs_frame(self.records, data) for data in self.data}

    @cached_property
    def means(self) -> dict[str, pd.DataFrame]:
        """Means over seeds by data set."""
        return {data: proxy.by_network(runs) for data, runs in self.runs.items()}

    @cached_property
    def found(self) -> dict[str, pd.DataFrame]:
        """Differences from dwr by data set, where there are any."""
        tables = {data: proxy.against(self.records, data) for data in self.data}
        return {data: found for data, found in tables.items() if len(found)}

    @cached_property
    def judgements(self) -> list[Judgement]:
        """The ledger's verdicts on the main data set."""
        return proxy.judged(self.records if self.path else None, self.main)

    def _titled(self, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        return {proxy.DATA[data]: each for data, each in tables.items()}

    # ------------------------------------------------------------------------------ pieces

    def sentence(self) -> str:
        """How the paper's statements fared, and the differences behind; plain text."""
        said = proxy.in_a_sentence(self.judgements, self.main)
        return f"{said} {proxy.in_points(self.found.get(self.main, pd.DataFrame()))}".strip()

    def status(self) -> str:
        """What is recorded, and how it was trained, as Markdown."""
        how = "\n".join(f"- {proxy.how_trained(self.records, data)}" for data in self.data)
        return f"{proxy.status(self.records)}\n\n{how}".strip()

    def files(self) -> Shown:
        """Where the runs come from."""
        frame = proxy.files_table(self.path)
        if frame.empty:
            return NOTHING
        return table(
            frame, "Training runs behind this section, and whether the code is still this book's."
        )

    def errors_figure(self) -> Shown:
        """Every run."""
        if not self.data:
            return NOTHING
        best = [
            f"on {title} the lowest mean errors are "
            + ", ".join(
                f"{row.strategy} ({row.base}, {row.error:.1f} %)"
                for row in each(means.loc[means.groupby("base", sort=False).error.idxmin()])
            )
            for title, means in self._titled(self.means).items()
        ]
        return show(
            figures.runs_figure(self._titled(self.runs)),
            "runs",
            alt="Test error of every run by strategy, a panel for each proxy, a row for each data "
            f"set, with means and intervals; {'; '.join(best)}.",
            caption="Test error of every run (dots), means over seeds (markers) and their 95 % "
            "intervals (lines). Filled: the bases, and the largest scale; open, to the left: "
            "smaller scales.",
        )

    def errors_table(self) -> Shown:
        """Mean errors of the main data set."""
        if not self.data:
            return NOTHING
        return table(
            proxy.error_table(self.means[self.main]),
            f"Test error on {proxy.DATA[self.main]}, %: mean over seeds ± half of its 95 % "
            "interval. Scale: about how many times the base's flops (one multiply-add is one "
            "flop).",
        )

    def forest_figure(self) -> Shown:
        """Differences from dwr."""
        if not self.found:
            return NOTHING
        said = proxy.effect_table(self.found[next(iter(self.found))])
        values = "; ".join(f"{row.strategy} {row.points}" for row in each(said))
        return show(
            figures.forest_figure(self._titled(self.found), proxy.thresholds()),
            "differences",
            alt="Points of error above dwr with 95 % intervals, one row per strategy, a panel for "
            f"each data set. In the first panel: {values}.",
            caption="Error above that of dwr at the largest scale, mean over proxies, with 95 % "
            "intervals. Filled: as trained. Open: with dwr read at the strategy's own flops. "
            "Crosses: single proxies. Band: within the threshold of “about as accurate”; dotted: "
            "the threshold below which a loss does not count. Both are shares of what dwr gains, "
            "and are left out where it may gain nothing.",
        )

    def effects_table(self, data: str | None = None) -> Shown:
        """Differences from dwr on a data set; the main one if None."""
        data = data or self.main
        if data not in self.found:
            return NOTHING
        return table(
            proxy.effect_table(self.found[data]),
            f"Error above dwr on {proxy.DATA[data]} at the largest scale, with 95 % intervals: "
            "as trained, as a share of what dwr gains over the bases, and with dwr read at the "
            "strategy's own flops (one multiply-add is one flop). Pairs: of runs of equal base "
            "and seed.",
        )

    def verdicts(self) -> Shown:
        """The claims."""
        if not self.judgements:
            return NOTHING
        return table(
            proxy.verdict_table(self.judgements),
            f"The paper's statements, asked of proxies on {proxy.DATA[self.main]}. Holds or fails: "
            "the whole interval lies on one side of its threshold. Open: it does not.",
            marks={"holds": "repro-good", "fails": "repro-off", "open": "repro-open"},
        )

    def meaning(self) -> str:
        """What follows about the paper's claims, as Markdown."""
        found = self.found.get(self.main, pd.DataFrame())
        parts = [
            proxy.in_a_sentence(self.judgements, self.main),
            proxy.meaning(self.judgements, found, self.main),
        ]
        return "\n\n".join(dict.fromkeys(parts))

    def loss_figure(self) -> Shown:
        """How far the networks learned."""
        if self.main not in self.found:
            return NOTHING
        runs = self.runs[self.main]
        return show(
            figures.loss_figure(runs),
            "losses",
            alt="Test error of every run against its training loss in the last epoch, a panel for "
            f"each proxy; over all runs they correlate with r = {runs.loss.corr(runs.error):.3f}.",
            caption=f"{proxy.DATA[self.main]}: test error against the training loss of the last "
            "epoch, a marker for each run. Filled: the bases and the largest scale; open: smaller "
            "scales. On one rising line networks differ in how far they learned; one below it "
            "generalises better than its training loss says.",
        )

    def diagnosis(self) -> str:
        """What may be behind the differences, as Markdown."""
        if self.main not in self.found:
            return NOTHING.text
        text = proxy.diagnosis(self.records, self.main, self.found[self.main])
        return text or "The training losses show no reason."

    def control(self) -> str:
        """What resolution gains where there is no detail to gain, as Markdown."""
        if self.main == "digits" or "digits" not in self.data:
            return "*No runs on digits are recorded beside others.*"
        return proxy.control(self.records, self.main, "digits")

    def same(self) -> str:
        """Which strategies made the same network, as Markdown."""
        return proxy.same_networks(self.means[self.main]) if self.data else NOTHING.text

    def costs_table(self) -> Shown:
        """What the strategies made of the proxies."""
        if not self.data:
            return NOTHING
        return table(
            proxy.cost_table(self.means[self.main]),
            "The proxies at the largest scale: resolution, flops (one multiply-add is one flop), "
            "and flops, acts and params relative to the base. Milliseconds of training on one "
            "image: timed alone where that is recorded of all, else in the runs, which may have "
            "shared their machine.",
            formats={"flops, M": ".2f", "ms per image": ".2f"}
            | dict.fromkeys(("× flops", "× acts", "× params"), ".1f"),
        )

    def pareto_figure(self) -> Shown:
        """Error against costs."""
        if not self.data:
            return NOTHING
        means = self.means[self.main]
        fronts = [
            f"{base} over {label.partition(',')[0]}: "
            + ", ".join(f"{r.strategy} ×{r.times}" for r in each(front))
            for base, part in means.groupby("base", sort=False)
            for cost, label in figures.PARETO.items()
            for front in [figures.pareto_front(part, cost)]
        ]
        return show(
            figures.pareto_figure(means),
            "pareto",
            alt="Test error against flops, acts and training time, a row of three panels for each "
            f"proxy. Not beaten in both are, by rising cost, {'; '.join(fronts)}.",
            caption=f"{proxy.DATA[self.main]}: mean test error against flops (one multiply-add is "
            "one flop), acts and measured training time. The grey dot is the base, each line a "
            "strategy, the grey step joins the networks that no other beats in both.",
        )

    def limits(self) -> str:
        """What test images and seeds cannot resolve, as Markdown."""
        if not self.data:
            return NOTHING.text
        mine = [r for r in self.records if r.setting["data"] == self.main]
        images = mine[0].data.test
        worst = proxy.test_image_error(self.means[self.main], images)
        return (
            f"The intervals are about seeds. They say nothing about other test images: with "
            f"{images:,} of them, two networks whose errors fall on entirely different images "
            f"would differ by ±{worst:.2f} points (one standard error) by the luck of the draw. "
            "Networks of one family err on many of the same images, so the real figure is smaller; "
            "how much smaller, the records do not tell."
        )

    def numbers(self) -> dict[str, float]:
        """What the prose quotes."""
        return proxy.numbers(self.records, self.found)


def own_runs(path: str | None = None) -> OwnRuns:
    """A reader's runs, or the project's.

    Raises:
        InputError: the file cannot be used.
    """
    return OwnRuns(proxy.trainings(path), path)
