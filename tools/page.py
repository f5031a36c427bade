"""The text of docs/reference: what the tables say of a function, and what the built library shows of it."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import element_types
import gen
import members
import outside
import shown

ROOT = Path(__file__).resolve().parent.parent

# Families, their pages' titles and what stands below them, in the order of the index.
FAMILIES = {
    "elementwise": (
        "Element-wise functions",
        "Operands broadcast; chains of these run as one pass over memory.",
    ),
    "reduce": ("Reductions", "Functions that combine the elements of axes."),
    "scan": ("Running sums and the like", "Each element is combined with all before it."),
    "sort": ("Order", "Sorting, selecting and searching."),
    "shape": ("Shape, joining and splitting", "Most of these are views: no element is copied."),
    "index": ("Indexing by arrays", "More is said with `a[...]`, `a[...] = b` and `a.at[...]`."),
    "create": ("Creation", "Arrays from nothing but numbers."),
    "matmul": ("Products of matrices", "Leading axes are a batch."),
    "conv": ("Convolutions", "Channels come last; weights are (outputs, spatial..., channels / groups)."),
    "random": ("Random numbers", "The numbers follow from the key alone, for any number of threads."),
    "fast": ("Several operations in one pass", "What layers of neural networks spend their time on."),
    "products": ("Sums of products", "Products over named or given axes."),
    "quantize": ("Quantization", "Weights in 2 to 8 bits, and products with them."),
    "unique": ("Unique elements", "The elements of an array, each once."),
    "losses": ("Losses and recurrences", "Several operations in one pass."),
    "linalg": ("Linear algebra", "Factorizations, inverses and norms."),
    "fft": ("Fourier transforms", "Discrete Fourier transforms over one or several axes."),
}
# Functions that Python reaches through another one, and the sentence that says so.
PART_OF = {
    "split_at": ("split", "the form with a sequence of indices"),
    "arange_integer": ("arange", "the form for integers"),
    "tensordot_axes": ("tensordot", "the form with two lists of axes"),
    "random_permutation_of": ("random_permutation", "the form with an integer"),
}
ACCEPTS = {
    "array": "array",
    "operand": "array or number",
    "index": "array of integers, or int",
    "key": "key, uint32 of shape (2,)",
    "arrays": "sequence of arrays",
    "int": "integer",
    "axis": "axis, -ndim to ndim - 1",
    "axes": "axis or axes",
    "dims": "sequence of integers",
    "shape": "integer or sequence of integers",
    "bool": "truth value",
    "float": "number",
    "dtype": "dtype",
    "string": "text",
    "order": "number, `'fro'` or `'nuc'`",
    "mask": "`'causal'`, or an array of bool or of the scores' type",
}
NONE_MEANS = {
    "axes": "all axes",
    "axis": "the flattened array",
    "key": "the next key of the global state",
}


def public_name(f: gen.Function) -> str:
    """The name in Python, ``random.normal``; that of the function whose form it is."""
    return dotted(PART_OF.get(f.name, (f.name, ""))[0])


def dotted(name: str) -> str:
    """``linalg.norm`` for ``linalg_norm``."""
    for module in gen.MODULES:
        if name.startswith(module + "_"):
            return f"{module}.{name[len(module) + 1 :]}"
    return name


def cases_of(f: gen.Function) -> list:
    """The oracle's cases of a function."""
    from tests.ops.cases import all_cases

    return [case for case in all_cases() if case.name == public_name(f)]


def family_of(f: gen.Function) -> str:
    """The family of the function's oracle; without one, its module or the file of its builder."""
    cases = cases_of(f)
    if cases:
        return cases[0].family
    if f.module[0]:
        return f.module[0]
    for path in sorted((ROOT / "engine/ops").glob("*.c")):
        if re.search(rf"\b{f.c_name}\(mica_scope \*\w+[^;{{]*\)\s*{{", path.read_text()):
            return {"quantized_matmul": "quantize"}.get(path.stem, path.stem)
    return "elementwise"


def public_names() -> set[str]:
    """All public names of mica.core and its modules."""
    import mica.core as mx

    names = {name for name in dir(mx) if not name.startswith("_")}
    modules = [name for name in names if isinstance(getattr(mx, name), ModuleType)]
    return (names - set(modules)) | {
        f"{m}.{n}" for m in modules for n in dir(getattr(mx, m)) if not n.startswith("_")
    }


def title(family: str) -> tuple[str, str]:
    """Title and first sentence of a family's page."""
    return FAMILIES.get(family, (family.replace("_", " ").capitalize(), ""))


# ---- what the library does ----


# Functions whose derivatives other tests prove: the matrix has nothing to compare them with.
ELSEWHERE = {
    "qqmm": "differentiable in `x` and `w`, as if nothing were rounded (`vjp`, `jvp`)",
    "quantize": "differentiable: scales and biases (`vjp`, `jvp`)",
    "divmod": "differentiable: the remainder (`vjp`, `jvp`)",
}


def transformations(f: gen.Function, cases: list) -> str:
    """What the matrix proves of derivatives, batching and compiling."""
    cases = [c for c in cases if c.domains]
    if not cases:
        return ""
    arrays = [p.name for p in f.parameters if p.kind in ("array", "operand", "index", "key")]
    smooth = [c for c in cases if not c.nondiff and c.diff]
    if smooth:
        places = sorted({i for c in smooth for i in c.diff})
        named = [arrays[i] for i in places if i < len(arrays)]
        where = " in " + ", ".join(f"`{n}`" for n in named) if named and len(arrays) > 1 else ""
        words = [f"differentiable{where} (`vjp`, `jvp`)"]
    else:
        words = [ELSEWHERE.get(f.name, "no derivative")]
    if any(c.vmap for c in cases):
        words.append("`vmap`")
    if any(c.compiled for c in cases):
        words.append("`compile`, with the bits of eager calls")
    return "; ".join(words)


# ---- pages ----


def argument_rows(f: gen.Function) -> list[str]:
    """One row of the table of arguments each."""
    rows = ["| argument | accepts | default |", "|---|---|---|"]
    for p in f.parameters:
        accepts = ("any number of arrays" if p.variadic else ACCEPTS[p.kind]) + (
            " or None" if p.optional or p.default == "None" else ""
        )
        default = "" if p.default is None else f"`{p.default}`"
        if p.default == "None" and p.kind in NONE_MEANS:
            default += f": {NONE_MEANS[p.kind]}"
        rows.append(f"| `{p.name}` | {accepts} | {default} |")
    return rows


def section(f: gen.Function, parts: list[gen.Function], aliases: dict[str, list[str]], example: str) -> str:
    """All about one function."""
    name = public_name(f)
    cases = cases_of(f)
    lines = [f"# {name}", "", f.doc, ""]
    by_hand = outside.signatures().get(name, []) if outside.is_by_hand(name) else []
    calls = by_hand or [f"{name}({gen.python_parameters(f)}) -> {gen.RESULTS[f.result]}"]
    lines += ["```python", *calls, "```", "```c", gen.prototype(f, "", ");"), "```", ""]
    if f.parameters:
        lines += [*(outside.argument_rows(by_hand[-1]) if by_hand else argument_rows(f)), ""]
    if also := aliases.get(name):
        lines += ["Also called " + ", ".join(f"`{a}`" for a in also) + ".", ""]
    facts = []
    if types := element_types.rows(f, name, cases, example):
        facts.append(f"- **Element types**: {'; '.join(types)}.")
    if sizes := shown.shapes(f, name, cases, example):
        facts.append(f"- **Shapes**: {sizes}.")
    if words := transformations(f, cases):
        facts.append(f"- **Transformations**: {words}.")
    if raised := shown.errors(name, cases, example):
        facts += ["- **Errors**:", *(f"  - {line}" for line in raised)]
    if facts:
        lines += [*facts, ""]
    for part in parts:
        lines += [f"In C, {PART_OF[part.name][1]} is a function of its own:", ""]
        lines += ["```c", gen.prototype(part, "", ");"), "```", ""]
    if example:
        lines += ["```python", example.rstrip(), "```", ""]
    return "\n".join(lines)


def aliases() -> dict[str, list[str]]:
    """Further names of functions."""
    found: dict[str, list[str]] = {}
    if gen.ALIAS.exists():
        for arguments, _, _ in gen.rows(gen.ALIAS, "ALIAS"):
            found.setdefault(dotted(arguments[1]), []).append(arguments[0])
    return found


NOTE = "<!-- Generated by tools/docs.py from the tables, the oracle and docs/examples: change those. -->"


def file_of(name: str) -> str:
    """The file of a function's page, in its family's folder."""
    module, _, last = name.rpartition(".")
    if module in ("metal", "cuda"):  # in one folder
        return f"{module}_{last}.md"
    # Where the case of letters does not count, Stream.md would be stream.md.
    return f"class_{last}.md" if last[0].isupper() else f"{last}.md"


def family_pages(family: str, heading: str, sentence: str, sections: dict[str, str]) -> dict[str, str]:
    """A page a function, and the family's index of them with first sentences."""
    found, lines = {}, [NOTE, "", f"# {heading}", ""] + ([sentence, ""] if sentence else [])
    for name, text in sections.items():
        found[f"{family}/{file_of(name)}"] = f"{NOTE}\n\n{text.rstrip()}\n\n[{heading}](README.md)\n"
        body = text.split("\n", 2)[2]
        first = re.split(r"(?<=\.)\s|\n\n", body, maxsplit=1)[0].replace("\n", " ")
        lines.append(f"- [{name}]({file_of(name)}): {first}")
    found[f"{family}/README.md"] = "\n".join(lines) + "\n"
    return found


def documented(functions: list[gen.Function]) -> set[str]:
    """The public names, members of arrays too, that a page tells."""
    found = {public_name(f) for f in functions} | set(outside.names())
    for name, others in aliases().items():
        found |= set(others) if name in found else set()
    places = places_of(families_of(functions, {}))
    return found | set(members.constants_page()[1]) | set(members.array_page(places)[1])


Family = tuple[str, str, str, dict[str, str]]  # folder, title, first sentence, name to section


def families_of(functions: list[gen.Function], examples: dict[str, str] | None) -> list[Family]:
    """Each family with its sections; without ``examples`` the sections are empty."""
    by_family: dict[str, list[gen.Function]] = {}
    parts: dict[str, list[gen.Function]] = {}
    names = {f.name for f in functions}
    for f in functions:
        if f.name in PART_OF and PART_OF[f.name][0] in names:
            parts.setdefault(PART_OF[f.name][0], []).append(f)
        else:
            by_family.setdefault(family_of(f), []).append(f)
    order = [f for f in FAMILIES if f in by_family] + sorted(set(by_family) - set(FAMILIES))
    other, signatures = aliases(), outside.signatures()

    def of_table(f: gen.Function) -> str:
        name = public_name(f)
        return section(f, parts.get(f.name, []), other, examples.get(name, "")) if examples else ""

    def of_library(name: str) -> str:
        return outside.section(name, signatures, examples.get(name, "")) if examples else ""

    families: dict[str, Family] = {
        family: (family, *title(family), {public_name(f): of_table(f) for f in by_family[family]})
        for family in order
    }
    for family, (heading, sentence, names_here) in outside.FAMILIES.items():
        sections = {name: of_library(name) for name in names_here}
        if family in families:
            families[family][3].update(sections)
        else:
            families[family] = (family, heading, sentence, sections)
    return list(families.values())


def places_of(families: list[Family]) -> dict[str, str]:
    """Name to the path of its page in docs/reference."""
    return {name: f"{family}/{file_of(name)}" for family, _, _, sections in families for name in sections}


# Pages without a function: folder, file, title.
TABLES = (("types", "constants.md", "Constants"), ("arrays", "members.md", "Members of arrays"))


def pages(functions: list[gen.Function], examples: dict[str, str]) -> dict[str, str]:
    """File name to text, for every page."""
    families = families_of(functions, examples)
    texts = {"constants.md": members.constants_page()[0]}
    texts["members.md"] = members.array_page(places_of(families))[0]
    index = [
        *(NOTE, "", "# Reference", ""),
        "Every public name by family: meaning, signatures, and what running it shows. For functions of the",
        "tables also the signature in C, shapes, element types, derivatives and errors. `mx` is `mica.core`.",
        "In Python each of these takes `stream=` too; in C each takes the scope that owns the result",
        "(`include/mica/ops.h`). An argument that is missing, too many or of an unknown name is a",
        "`TypeError` of every function, and so is a stream that is none.",
        "",
    ]
    found = {}
    for family, heading, sentence, sections in families:
        found |= family_pages(family, heading, sentence, sections)
        index += [f"## [{heading}]({family}/README.md)", ""]
        entries = [f"[{name}]({family}/{file_of(name)})" for name in sections]
        for folder, file, name in TABLES:
            if folder == family:
                found[f"{family}/{file}"] = f"{NOTE}\n\n{texts[file]}\n[{heading}](README.md)\n"
                found[f"{family}/README.md"] += f"- [{name}]({file})\n"
                entries.append(f"[{name}]({family}/{file})")
        index += [" · ".join(entries), ""]
    found["README.md"] = "\n".join(index).rstrip() + "\n"
    return found
