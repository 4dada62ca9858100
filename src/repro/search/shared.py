"""Search where an evaluation costs seconds: networks that are timed, or trained.

Optuna suggests what to try next and keeps the journal, a file with a line for each thing that
happened. Any number of processes, on machines that share the file, work on one search:

- a point is suggested to one process only, and no point is ever suggested twice;
- what was measured is one line, on the disk before anything else happens;
- whoever is killed leaves a point that the next to come, or any other process, takes over.

Everything that must not happen twice is guarded by locks on bytes of ``FILE.claims``: the kernel
lets go of them when their owner ends, however it ends.

A single process repeats itself from its seed, killed in between or not; several do not, since each
suggestion depends on what was finished before it.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from repro.arch import Network
from repro.errors import InputError
from repro.search.space import Choice, Codes, Space

Results = dict[str, float]
"""What an evaluation found, by name."""
JOURNAL, ASK, TRIALS = 0, 1, 2
"""Bytes of the claims: for writing the journal, for suggesting, and from here on for each trial."""
BEGINNING = b'{"op_code"'
"""Of every line of a journal."""
RESULTS, REFUSED = "results", "refused"


class Evaluation(NamedTuple):
    """One point that was evaluated: its place in the search, what was found, what that is worth."""

    number: int
    code: Codes
    results: Results
    fitness: float


class Claims:
    """Locks on bytes of a file, which end with the process that holds them."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    @contextmanager
    def held(self, byte: int) -> Iterator[None]:
        """Wait for a byte and hold it."""
        fcntl.lockf(self.file, fcntl.LOCK_EX, 1, byte)
        try:
            yield
        finally:
            self.drop(byte)

    def take(self, byte: int) -> bool:
        """Hold a byte that nobody else holds; False where somebody does."""
        try:
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except OSError:
            return False
        return True

    def drop(self, byte: int) -> None:
        fcntl.lockf(self.file, fcntl.LOCK_UN, 1, byte)


class _JournalLock(JournalFileOpenLock):
    """In place of Optuna's, a file that a killed process leaves behind for half a minute."""

    def __init__(self, claims: Claims, journal: Path) -> None:
        self.claims, self.journal = claims, journal

    def acquire(self) -> bool:
        fcntl.lockf(self.claims.file, fcntl.LOCK_EX, 1, JOURNAL)
        self.mend()
        return True

    def release(self) -> None:
        self.claims.drop(JOURNAL)

    def mend(self) -> None:
        """Cut off a line that a killed writer left unfinished: nobody has read it."""
        with self.journal.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - 1))
            if end and file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)


class _Distinct(BaseSampler):
    """Suggests by TPE, and only points that the search has not had; the space's own comes first.

    Sampling anew from (seed, place in the search) makes a suggestion depend on the journal alone,
    and not on what a process suggested before it was killed.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed
        self.taken: set[bytes] = set()

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return distributions(self.space)

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        code = self.space.own
        if self.taken:
            seeds = np.random.SeedSequence([self.seed, len(self.taken)])
            sampler = TPESampler(seed=int(seeds.generate_state(1)[0]), constant_liar=True)
            near = sampler.infer_relative_search_space(study, trial)
            values = sampler.sample_relative(study, trial, near)
            for name, distribution in search_space.items():
                if name not in values:
                    values[name] = sampler.sample_independent(study, trial, name, distribution)
            code, rng = code_of(self.space, values), np.random.default_rng(seeds)
            while code.tobytes() in self.taken:
                code = self.space.mutate(rng, code[None])[0]
        chosen = self.space.decode(code)
        return {name: chosen[name] for name in search_space}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        raise AssertionError(f"{param_name} is no choice of the space")


def choices_of(space: Space) -> list[Choice]:
    """Those that a search may make."""
    return [choice for choice, free in zip(space.choices, space.free, strict=True) if free]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A space as Optuna describes it."""
    return {c.name: CategoricalDistribution(c.values) for c in choices_of(space)}


def code_of(space: Space, params: dict[str, Any]) -> Codes:
    """The point of a trial's values."""
    return space.encode(space.decode(space.own) | params)


class Shared:
    """A search in a file, as one process sees it.

    Args:
        path: the journal; one that exists is continued.
        about: what is evaluated, under which conditions: only the same search goes on in a file.

    Raises:
        InputError: the file cannot be used, or holds another search.
    """

    def __init__(
        self,
        path: Path,
        space: Space,
        about: dict[str, Any],
        seed: int = 0,
    ) -> None:
        self.space, self.sampler = space, _Distinct(space, seed)
        choices = {c.name: list(c.values) for c in choices_of(space)}
        own = {"space": space.name, "choices": choices, "seed": seed, **about}
        own = json.loads(json.dumps(own))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            with path.open("ab+") as file:
                file.seek(0)
                head = file.read(len(BEGINNING))
            if head != BEGINNING[: len(head)]:
                raise ValueError("it is no journal of a search")
            self.claims = Claims(path.with_name(f"{path.name}.claims"))
            lock = _JournalLock(self.claims, path)
            with self.claims.held(JOURNAL):
                lock.mend()
            self.storage = JournalStorage(JournalFileBackend(str(path), lock))
        except (OSError, ValueError, KeyError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"search {str(path)!r} cannot be used: {why}") from None
        with self.claims.held(ASK):
            self.study = optuna.create_study(
                storage=self.storage,
                sampler=self.sampler,
                study_name="search",
                direction="maximize",
                load_if_exists=True,
            )
            had = self.study.user_attrs.get("about")
            if had is None:
                self.study.set_user_attr("about", own)
        if had not in (None, own):
            odd = next(key for key in {**had, **own} if had.get(key) != own.get(key))
            raise InputError(
                f"search {str(path)!r} is another one: its {odd} is {had.get(odd)!r}, "
                f"here {own.get(odd)!r}"
            )

    def run(
        self,
        evaluate: Callable[[Network], Results],
        fitness: Callable[[Results], float],
        evaluations: int,
        done: Callable[[int], None] = lambda made: None,
    ) -> list[Evaluation]:
        """Evaluate until the search has so many points, all processes together.

        Returns at once when the last points are in work elsewhere.

        Args:
            evaluate: may refuse a network with an `InputError`; it is then not tried again.
            fitness: of what was found; more is better.
            done: called after each evaluation with how many the search has.
        """
        while trial := self._next(min(evaluations, self.space.size)):
            try:
                self._settle(trial, evaluate, fitness)
            finally:
                self.claims.drop(TRIALS + trial.number)
            done(len(self._points()))
        return self.evaluations()

    def evaluations(self) -> list[Evaluation]:
        """All that was evaluated so far, by whichever process, in the order of suggestion."""
        return [
            Evaluation(number, self._code(trial), trial.user_attrs[RESULTS], trial.value)
            for number, trial in enumerate(self._points())
            if trial.value is not None
        ]

    def _points(self) -> list[FrozenTrial]:
        """Trials whose suggestion was not cut short by a kill."""
        choices = len(distributions(self.space))
        return [t for t in self.study.get_trials(deepcopy=False) if len(t.params) == choices]

    def _code(self, trial: FrozenTrial) -> Codes:
        return code_of(self.space, trial.params)

    def _next(self, evaluations: int) -> FrozenTrial | None:
        """A trial that is this process's until it drops the claim: a left one, else a new one."""
        with self.claims.held(ASK):
            points = self._points()
            whole = {trial.number for trial in points}
            for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if self.claims.take(TRIALS + trial.number):
                    if trial.number in whole:
                        return trial
                    self.study.tell(trial.number, state=TrialState.FAIL)
                    self.claims.drop(TRIALS + trial.number)
            if len(points) >= evaluations:
                return None
            self.sampler.taken = {self._code(trial).tobytes() for trial in points}
            number = self.study.ask(distributions(self.space)).number
            self.claims.take(TRIALS + number)
            return self.study.get_trials(deepcopy=False)[number]

    def _settle(
        self,
        trial: FrozenTrial,
        evaluate: Callable[[Network], Results],
        fitness: Callable[[Results], float],
    ) -> None:
        """Evaluate a trial, unless whoever was killed had done so, and tell what it is worth."""
        known = dict(trial.user_attrs)
        if not known.keys() & {RESULTS, REFUSED}:
            try:
                results = evaluate(self.space.network(self._code(trial)))
                if odd := [name for name, value in results.items() if not math.isfinite(value)]:
                    raise InputError(f"{odd[0]} is {results[odd[0]]}")
                known = {RESULTS: results}
            except InputError as error:
                known = {REFUSED: str(error)}
            for key, value in known.items():
                self.storage.set_trial_user_attr(trial._trial_id, key, value)
        if RESULTS in known:
            self.study.tell(trial.number, fitness(known[RESULTS]))
        else:
            self.study.tell(trial.number, state=TrialState.FAIL)
