"""From what was noted while watching to findings: one function a rule, silent where it cannot be sure.

Thresholds stand here, each with its reason: a finding on a program that is right costs more than a mistake
that is missed.
"""

from __future__ import annotations

import linecache
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from mica.doctor.runtime.conversions import is_deliberate
from mica.doctor.runtime.finding import Cost, Finding, Place, amount
from mica.doctor.runtime.watching import Watch

OFTEN = 32  # sightings of something that is right once or a few times
SMALL = 8  # nodes of an evaluation that costs more to start than to run, if its results
TINY = 1 << 16  # have no more bytes than this
STEADY = 5  # intervals that make a habit
WORTH = 4096  # bytes below which a conversion costs nothing
HELD = 1 << 16  # bytes of gradients below which holding them costs nothing
COPIED = 1 << 20  # bytes of a copy below which a layout costs nothing
# Operations whose copy is their result: reshapes of transposed arrays (as attention has them), updates.
COPIES = {"reshape", "contiguous", "scatter", "scatter_axis", "slice_update", "dynamic_slice_update"}
RETRACES = 5  # traces of one function that may be warming up


class Evaluation(NamedTuple):
    """One evaluation, as the engine notes it."""

    reason: str
    site: int
    thread: int
    nodes: int
    steps: int
    graph: int
    held: int
    begin: int
    planned: int
    end: int
    waited: bool
    bytes: int
    claim: int
    after: int

    @property
    def is_tiny(self) -> bool:
        """It costs more to start than to run."""
        return self.nodes <= SMALL and self.bytes <= TINY

    @property
    def milliseconds(self) -> float:
        return max(self.end - self.begin, 0) / 1e6


class Seen(NamedTuple):
    """A kind of sighting in the engine's record."""

    rule: int
    prim: str
    site: int
    cause: int
    count: int
    bytes: int


class Case:
    """A watch's record, arranged for the rules."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.notes = watch.notes
        self.evaluations = [Evaluation(*e) for e in watch.record["evaluations"]]
        self.seen: dict[int, list[Seen]] = defaultdict(list)
        for f in watch.record["findings"]:
            self.seen[f[0]].append(Seen(*f))
        self.by_site: dict[int, list[Evaluation]] = defaultdict(list)
        for e in self.evaluations:
            if e.nodes:
                self.by_site[e.site].append(e)
        self.large = sum(not e.is_tiny for e in self.evaluations)
        self.span = max(self.notes.end - self.notes.begin, 1)

    def place(self, site: int) -> Place:
        return self.watch.place(site)

    def share(self, milliseconds: float) -> float:
        return milliseconds * 1e6 / self.span

    def time_of(self, site: int) -> float:
        """Milliseconds that nodes of a line ran."""
        accounts = self.watch.record["accounts"]
        return accounts[site][1] / 1e6 if site < len(accounts) else 0.0

    def finding(
        self, rule: int, site: int, message: str, cost: Cost, related: list[tuple[int, str]] | None = None
    ) -> Finding:
        places = [(self.place(s), text) for s, text in related or [] if s and s != site]
        return Finding(f"MX{rule}", self.place(site), message, cost, places)

    def text(self, site: int) -> str:
        place = self.place(site)
        return linecache.getline(place.path, place.line)


def eval_in_loop(case: Case) -> Iterator[Finding]:
    """MX101: values read one by one, or tiny graphs evaluated one by one, from one line."""
    reads = {s.site: s for s in case.seen[101]}
    for site in {*reads, *case.by_site}:
        evaluations = case.by_site.get(site, [])
        small = [e for e in evaluations if e.is_tiny and e.waited]
        count = max(len(small), reads[site].count if site in reads else 0)
        if len(evaluations) - len(small) > 0.1 * count:
            continue  # it evaluates real work: a step of training or sampling
        if count < OFTEN or count <= 2 * case.large:
            continue  # once or twice beside each real evaluation: a loss that is printed
        spent = sum(e.milliseconds for e in small)
        what = f"evaluates {small[0].nodes} operations" if small else "reads one value"
        yield case.finding(
            101,
            site,
            f"this line {what} at a time, {count} times",
            Cost(count, spent, share=case.share(spent)),
        )


def eval_too_often(case: Case) -> Iterator[Finding]:
    """MX102: most intervals between two optimizer updates have more than one evaluation of real work."""
    times = sorted(t for t, _ in case.notes.updates)
    if len(times) <= STEADY:
        return
    between: dict[int, list[Evaluation]] = defaultdict(list)
    for e in case.evaluations:
        at = bisect_left(times, e.begin)
        if 0 < at < len(times) and e.nodes > SMALL and e.waited:
            between[at].append(e)
    # Twice from one line is another pattern: gradients that are accumulated, piece by piece.
    doubled = [
        evaluations
        for evaluations in between.values()
        if len(evaluations) > 1 and len({e.site for e in evaluations}) == len(evaluations)
    ]
    if len(doubled) < STEADY or len(doubled) < 0.6 * (len(times) - 1):
        return
    last: dict[int, list[Evaluation]] = defaultdict(list)
    for evaluations in doubled:
        last[evaluations[-1].site].append(evaluations[-1])
    site, cut = max(last.items(), key=lambda item: len(item[1]))
    others = {e.site for evaluations in doubled for e in evaluations[:-1] if e.site != site}
    spent = sum((e.planned - e.begin) / 1e6 for e in cut if e.planned)
    yield case.finding(
        102,
        site,
        f"{len(doubled)} of {len(times) - 1} steps are evaluated in {len(doubled[0])} pieces: this one "
        "comes before the optimizer's update",
        Cost(len(cut), spent, share=case.share(spent)),
        [(s, "the other evaluation of the same step") for s in sorted(others)[:2]],
    )


def blocked_pipeline(case: Case) -> Iterator[Finding]:
    """MX103: alike graphs, one line, each waited for before the next is queued."""
    if case.notes.updates:
        return  # a training step waits for itself anyway
    reads = sum(s.count for s in case.seen[101])  # of values that Python asked for
    asynchronous = sum(not e.waited for e in case.evaluations)
    for site, evaluations in case.by_site.items():
        real = [e for e in evaluations if e.nodes > SMALL and e.waited]
        # Training by hand and simulations evaluate each step too, and rightly: they read no results.
        by_eval = not case.notes.differentiated and reads >= 0.5 * len(real)
        blocking = ("item", "tolist", "eval") if by_eval else ("item", "tolist")
        real = [e for e in real if e.reason in blocking]
        if len(real) < 16 or asynchronous >= 0.5 * len(real):
            continue
        graphs: dict[int, int] = defaultdict(int)
        for e in real:
            graphs[e.graph] += 1
        if max(graphs.values()) < 0.5 * len(real):
            continue
        chained = sum(b.after >= a.claim for a, b in zip(real, real[1:], strict=False))
        if chained < 0.5 * len(real):
            continue  # each stands by itself: a validation loop
        idle = sum(max(b.begin - a.end, 0) for a, b in zip(real, real[1:], strict=False)) / 1e6
        yield case.finding(
            103,
            site,
            f"each of {len(real)} alike evaluations is waited for before the next is queued",
            Cost(len(real), idle, share=case.share(idle)),
        )


def promotions(case: Case) -> Iterator[Finding]:
    """MX201, MX202, MX203: half operands that became float32."""
    causes = {
        201: "a 0-d array of float32",
        202: "an array of the default type float32",
        203: "the other half type",
    }
    for rule, cause in causes.items():
        for s in case.seen[rule]:
            if s.bytes < WORTH:
                continue
            spent = case.time_of(s.site)
            yield case.finding(
                rule,
                s.site,
                f"[{s.prim}] half operands become float32, because they meet {cause}",
                Cost(s.count, spent, s.bytes, case.share(spent)),
                [(s.cause, "it was made here")],
            )


def folded_casts(case: Case) -> Iterator[Finding]:
    """MX204, MX205: casts around operations that accumulate in float32 anyway."""
    for rule, cure in ((204, "the norm accumulates in float32 anyway"), (205, "precise=True does the same")):
        for s in case.seen[rule]:
            if s.bytes >= WORTH:
                yield case.finding(
                    rule,
                    s.site,
                    f"[{s.prim}] is cast to float32 and back; {cure}",
                    Cost(s.count, bytes=s.bytes),
                    [(s.cause, "cast to float32 here")],
                )


def float64(case: Case) -> Iterator[Finding]:
    """MX206: the first lines of float64."""
    for s in case.seen[206]:
        yield case.finding(
            206,
            s.site,
            f"[{s.prim}] float64 begins here; it runs on CPU streams only",
            Cost(s.count, bytes=s.bytes),
        )


def retraces(case: Case) -> Iterator[Finding]:
    """MX302: a function that is traced again and again."""
    for trace in case.notes.traces.values():
        if trace.traces >= RETRACES and trace.traces > 0.3 * trace.calls:
            changes = [c for c in trace.changes if c]
            spent = trace.nanoseconds / 1e6
            created = case.notes.compiled.get((trace.path, trace.line), 0)
            why = changes[-1] if changes else "the arguments differ"
            if created >= 0.5 * trace.traces:
                why = f"it is compiled {created} times: compile once, outside of the loop"
            place = Place(trace.path, trace.line, trace.name)
            callers = [(case.place(s), "called here") for s in dict.fromkeys(trace.sites) if s]
            yield Finding(
                "MX302",
                place,
                f"{trace.traces} traces in {trace.calls} calls: {why}",
                Cost(trace.traces, spent, share=case.share(spent)),
                callers[:2],
            )


def captured(case: Case) -> Iterator[Finding]:
    """MX303: arrays that a traced function uses, not given and not evaluated."""
    for s in case.seen[303]:
        yield case.finding(
            303,
            s.site,
            "the compiled function uses an array that is neither an argument nor evaluated",
            Cost(s.count, bytes=s.bytes),
            [(s.cause, "it was made here")],
        )


def leaked(case: Case) -> Iterator[Finding]:
    """MX304: placeholders that outlive their trace."""
    for trace in case.notes.traces.values():
        for site in dict.fromkeys(trace.leaks):
            count = trace.leaks.count(site)
            yield case.finding(
                304,
                site,
                f"{trace.name} keeps what was made while it was traced: a side effect that happens in the "
                "trace only",
                Cost(count),
            )


def held_gradients(case: Case) -> Iterator[Finding]:
    """MX401: gradients that a name holds while the update that uses them up is evaluated."""
    by_line: dict[int, list[Seen]] = defaultdict(list)
    for s in case.seen[401]:
        by_line[s.cause].append(s)
    for site, all_seen in by_line.items():
        evaluations = [e for e in case.by_site.get(site, []) if e.held]
        most = max((e.held for e in evaluations), default=0)
        if most >= HELD and len(evaluations) > 1:
            largest = max(all_seen, key=lambda s: s.bytes)
            yield case.finding(
                401,
                site,
                f"{amount(most)} of gradients are still bound to a name while their update is evaluated",
                Cost(len(evaluations), bytes=most),
                [(largest.site, "the largest of them is the derivative of this line")],
            )


def loaded_casts(case: Case) -> Iterator[Finding]:
    """MX402: arrays of a file that were evaluated, then cast; not what a forward pass casts as it goes."""
    evaluated = {s.cause: s.site for s in case.seen[1402]}
    for s in case.seen[402]:
        if s.bytes >= WORTH and not case.place(s.site).module and s.cause in evaluated:
            yield case.finding(
                402,
                evaluated[s.cause],
                f"{amount(s.bytes)} of loaded arrays are evaluated here and cast later",
                Cost(s.count, bytes=s.bytes),
                [(s.cause, "loaded here"), (s.site, "cast here")],
            )


def growing_cache(case: Case) -> Iterator[Finding]:
    """MX404: the cache holds more than twice what the largest step needed."""
    if case.notes.cache > 2 * max(case.notes.peak, 1 << 26) and case.by_site:
        site = max(case.by_site, key=lambda s: sum(e.milliseconds for e in case.by_site[s]))
        yield case.finding(
            404,
            site,
            f"the cache grew by {amount(case.notes.cache)} for a peak of {amount(case.notes.peak)}: buffers "
            "of sizes that did not come back",
            Cost(bytes=case.notes.cache),
        )


def printing(case: Case) -> Iterator[Finding]:
    """MX501: values are printed in the middle of a module's call, which evaluates them there."""
    for site, evaluations in case.by_site.items():
        prints = [e for e in evaluations if e.reason == "print"]
        place = case.place(site)
        if prints and place.module:
            spent = sum(e.milliseconds for e in prints)
            yield case.finding(
                501,
                site,
                f"printing evaluates {prints[0].nodes} operations in the middle of {place.module}",
                Cost(len(prints), spent, share=case.share(spent)),
            )


def chains(case: Case) -> Iterator[Finding]:
    """MX503: a long chain of index updates."""
    for s in case.seen[503]:
        spent = case.time_of(s.site)
        yield case.finding(
            503,
            s.site,
            f"[{s.prim}] an array is filled piece by piece: {s.count} pieces and more in one graph",
            Cost(s.count, spent, share=case.share(spent)),
        )


def leaves_graph(case: Case) -> Iterator[Finding]:
    """MX505: NumPy functions take arrays, silently."""
    for s in case.seen[505]:
        if s.count < OFTEN // 4 and not case.place(s.site).module:
            continue
        place = case.place(s.site)
        if is_deliberate(place.path, case.text(s.site)) and not place.module:
            continue
        spent = sum(e.milliseconds for e in case.by_site.get(s.site, []))
        yield case.finding(
            505,
            s.site,
            "values leave the graph for another library",
            Cost(s.count, spent, s.bytes, case.share(spent)),
        )


def gathers(case: Case) -> Iterator[Finding]:
    """MX601: indexing with a range beside another index."""
    for s in case.seen[601]:
        spent = case.time_of(s.site)
        yield case.finding(
            601,
            s.site,
            "one of the indices is a plain range",
            Cost(s.count, spent, s.bytes, case.share(spent)),
        )


def copies(case: Case) -> Iterator[Finding]:
    """MX602: the same array several times."""
    for s in case.seen[602]:
        if s.bytes >= WORTH:
            spent = case.time_of(s.site)
            yield case.finding(
                602,
                s.site,
                "all operands are the same array",
                Cost(s.count, spent, s.bytes, case.share(spent)),
            )


def layouts(case: Case) -> Iterator[Finding]:
    """MX701: operands that had to be copied because of their layout."""
    for s in case.seen[701]:
        if s.prim not in COPIES and s.bytes >= COPIED * s.count:
            yield case.finding(
                701,
                s.site,
                f"[{s.prim}] an operand was copied to a layout that can be read",
                Cost(s.count, bytes=s.bytes),
            )


def biases(case: Case) -> Iterator[Finding]:
    """MX702: a bias added to a product by hand."""
    for s in case.seen[702]:
        if s.count >= STEADY:
            yield case.finding(702, s.site, "a bias is added to a product; addmm says it", Cost(s.count))


def quantized_training(case: Case) -> Iterator[Finding]:
    """MX801, MX802: QQLinear layers that are trained while quantized, or never trained."""
    for site in dict.fromkeys(case.notes.untrainable):
        count = case.notes.untrainable.count(site)
        yield case.finding(801, site, "a QQLinear layer is differentiated in evaluation mode", Cost(count))
    if case.notes.updates or case.notes.untrainable:
        return
    for site, count in case.notes.quantized.items():
        yield case.finding(802, site, "a QQLinear layer runs in a program that never trains", Cost(count))


def raised(case: Case) -> Iterator[Finding]:
    """MX504: what an exception that left the watch was about."""
    for rule, place in case.notes.raised:
        yield Finding(rule, place, "the program ended here", Cost())


def nonfinite(case: Case) -> Iterator[Finding]:
    """MX901: the first NaN or infinity."""
    first: Any = case.watch.record["nonfinite"]
    if first is None:
        return
    prim, site, _, result, operands = first

    def say(r: tuple) -> str:
        dtype, shape, low, high, nans, infinities = r
        parts = [f"{nans} NaN"] if nans else []
        parts += [f"{infinities} infinite"] if infinities else []
        if low <= high:  # else no element is finite, or the type has no ranges
            parts.insert(0, f"in [{low:.4g}, {high:.4g}]")
        elif parts:
            parts.insert(0, "no finite element")
        return f"{dtype}{list(shape)} {', '.join(parts)}".rstrip()

    inputs = "; ".join(say(r) for r in operands)
    message = f"[{prim}] the first result that is not finite: {say(result)}, from {inputs or 'no operands'}"
    yield case.finding(901, site, message, Cost(result[4] + result[5]))


CHECKS = (
    eval_in_loop,
    eval_too_often,
    blocked_pipeline,
    promotions,
    folded_casts,
    float64,
    retraces,
    captured,
    leaked,
    held_gradients,
    loaded_casts,
    growing_cache,
    printing,
    chains,
    leaves_graph,
    gathers,
    copies,
    layouts,
    biases,
    quantized_training,
    raised,
    nonfinite,
)


def diagnose(watch: Watch) -> list[Finding]:
    """All findings of a watch that is over, the most expensive first."""
    case = Case(watch)
    found: dict[tuple[str, str, int], Finding] = {}
    for check in CHECKS:
        for finding in check(case):
            key = (finding.rule, finding.place.path, finding.place.line)
            known = found.get(key)
            if known is None:
                found[key] = finding
                continue
            known.cost.count += finding.cost.count
            for name in ("milliseconds", "bytes", "share"):
                values = [getattr(f.cost, name) for f in (known, finding)]
                given = [v for v in values if v is not None]
                setattr(known.cost, name, sum(given) if given else None)
    return sorted(
        found.values(),
        key=lambda f: (-(f.cost.share or 0), -(f.cost.bytes or 0), f.place.path, f.place.line),
    )
