"""Makes mutants: a module's text with one small mistake of those that let somebody in."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

_Change: TypeAlias = tuple[ast.AST, str]

_NEGATED: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: ">=",
    ast.LtE: ">",
    ast.Gt: "<=",
    ast.GtE: "<",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_OFF_BY_ONE: Final[dict[type[ast.cmpop], str]] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_OPPOSITE: Final[dict[type[ast.operator], str]] = {ast.Add: "-", ast.Sub: "+", ast.BitOr: "&", ast.BitAnd: "|"}
_REFUSALS: Final = frozenset({"Conflict", "Forbidden", "Invalid", "Malformed", "NotFound", "Unauthenticated"})
_OTHER_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_OPEN_TO_MOST: Final = "SESSION_READ"
_ROLES: Final = {"OWNER": ("ADMIN",), "ADMIN": ("MEMBER", "OWNER"), "MEMBER": ("ADMIN",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`before` and `after` are the changed part; with `place`, and a number where more are alike, they name the mutant
    whatever its line."""

    path: str
    place: str
    line: int
    before: str
    after: str
    number: int
    text: str

    @property
    def name(self) -> str:
        which = f" (number {self.number})" if self.number > 1 else ""
        return f"{self.path} {self.place}: {self.before} -> {self.after}{which}"


def enums_of(text: str) -> dict[str, list[str]]:
    """The enumerations of a module with the names of their members."""
    return {
        node.name: _members(node) for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and _is_enum(node)
    }


def mutants_of(path: str, text: str, enums: Mapping[str, Sequence[str]]) -> Iterator[Mutant]:
    alike: Counter[tuple[str, str, str]] = Counter()
    for place, node in _places(ast.parse(text), ""):
        for changed, after in _changes(node, enums):
            start, end = _span(text, changed)
            before = " ".join(text[start:end].split())
            if before == after:
                continue
            alike[place, before, after] += 1
            yield Mutant(
                path=path,
                place=place,
                line=changed.lineno,  # type: ignore[attr-defined]  # what has a span has a line
                before=before,
                after=after,
                number=alike[place, before, after],
                text=text[:start] + after + text[end:],
            )


def _places(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST]]:
    """Every node that is worth a change, with the function, class or row of a table that it stands in."""
    rows = dict(zip(node.values, node.keys, strict=True)) if isinstance(node, ast.Dict) else {}
    for child in _worthy(node):
        inner = place
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{place}.{child.name}".lstrip(".")
        elif isinstance(child, ast.expr) and (key := rows.get(child)) is not None:
            inner = f"{place}[{ast.unparse(key)}]"
        yield inner or "module", child
        yield from _places(child, inner)


def _worthy(node: ast.AST) -> Iterator[ast.AST]:
    """Neither annotations nor decorators, documentation, texts of errors, log lines, or the names of an enumeration."""
    skipped: list[ast.AST | None] = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    skipped += getattr(node, "decorator_list", [])
    if isinstance(node, ast.Dict):
        skipped += node.keys
    if isinstance(node, ast.AnnAssign) and "TypeAlias" in ast.unparse(node.annotation):
        skipped.append(node.value)
    for child in ast.iter_child_nodes(node):
        is_text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
        is_aside = isinstance(child, ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr) or _is_type(child)
        is_name = isinstance(node, ast.ClassDef) and _is_enum(node) and isinstance(child, ast.Assign)
        if child in skipped or is_text or is_aside or is_name:
            continue
        if _is_refusal(node) or (isinstance(child, ast.Expr) and ast.unparse(child).startswith("log.")):
            continue
        yield child


def _is_type(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("NewType", "TypeVar")


def _is_refusal(node: ast.AST) -> bool:
    """What is raised is worth no change by itself; whether it is raised is."""
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and ast.unparse(node.func) in _REFUSALS)


def _changes(node: ast.AST, enums: Mapping[str, Sequence[str]]) -> Iterator[_Change]:
    yield from _of_conditions(node)
    yield from _of_statements(node)
    yield from _of_constants(node)
    yield from _of_members(node, enums)


def _of_conditions(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            for operator in (_NEGATED[type(op)], _OFF_BY_ONE.get(type(op))):
                if operator is not None:
                    yield node, f"{_inner(left)} {operator} {_inner(right)}"
        case ast.BoolOp(op=op, values=values):
            word, other_word = (" and ", " or ") if isinstance(op, ast.And) else (" or ", " and ")
            yield node, f"({other_word.join(_inner(each) for each in values)})"
            for each in values:
                yield node, f"({word.join(_inner(other) for other in values if other is not each)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, _inner(operand)
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Compare):
            yield test, f"(not {_inner(test)})"
        case ast.comprehension(ifs=conditions):
            yield from ((each, "True") for each in conditions)


def _of_statements(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Raise() | ast.Expr(value=ast.Call() | ast.Await()) | ast.Delete():
            yield node, "pass"
        case ast.Return(value=ast.Compare() | ast.BoolOp() | ast.UnaryOp() as value):
            yield from ((value, constant) for constant in ("True", "False"))
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield value, "None"
        case ast.BinOp(op=op) if type(op) in _OPPOSITE:
            yield node, f"({_inner(node.left)} {_OPPOSITE[type(op)]} {_inner(node.right)})"
        case ast.Call(func=ast.Name(id=name)) if name in _OTHER_CALLS:
            yield node.func, _OTHER_CALLS[name]


def _of_constants(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() | float() as value):
            yield node, str(value + 1)
        case ast.Constant(value=str() as value):
            yield node, repr(value + "x")


def _of_members(node: ast.AST, enums: Mapping[str, Sequence[str]]) -> Iterator[_Change]:
    """Of roles the neighbours in rank, of actions the one that is open to most, of other enumerations the next one."""
    match node:
        case ast.Attribute(value=ast.Name(id="Action"), attr=attr):
            if attr != _OPEN_TO_MOST:
                yield node, f"Action.{_OPEN_TO_MOST}"
        case ast.Attribute(value=ast.Name(id="Role"), attr=attr) if attr in _ROLES:
            yield from ((node, f"Role.{other}") for other in _ROLES[attr])
        case ast.Attribute(value=ast.Name(id=name), attr=attr) if attr in enums.get(name, ()):
            members = enums[name]
            yield node, f"{name}.{members[(members.index(attr) + 1) % len(members)]}"


def _inner(node: ast.expr) -> str:
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Constant | ast.Subscript | ast.Tuple)
    return ast.unparse(node) if simple else f"({ast.unparse(node)})"


def _is_enum(node: ast.ClassDef) -> bool:
    return any("Enum" in ast.unparse(base) for base in node.bases)


def _members(node: ast.ClassDef) -> list[str]:
    return [
        each.targets[0].id
        for each in node.body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
    ]


def _span(text: str, node: ast.AST) -> tuple[int, int]:
    """Its first and last character; the parser counts bytes."""
    lines = text.splitlines(keepends=True)

    def at(line: int, column: int) -> int:
        return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())

    return (
        at(node.lineno, node.col_offset),  # type: ignore[attr-defined]  # expressions and statements have all four
        at(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
    )
