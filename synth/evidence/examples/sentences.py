"""Examples in sentences and lines of code: `f([1, 2]) should be 3`, `f(1) -> 2`, `f(1)  # 2`. Pure.

The words are those of English, German, Spanish, French, Portuguese, Italian, Chinese and Japanese.
"""

import ast
import builtins
import re
from collections.abc import Iterator

from synth.evidence.examples.example import Example
from synth.evidence.expressions import end_of_item, find_calls, is_value, parse_expression, read_value

# The words between a call and its value. A bug report states both the present and the wanted result ("f(2) gives 3"),
# so there only words that demand a result count.
_DUTY = r"(?:should|must|shall|ought to|has to|have to|needs? to|is (?:supposed|required|expected|meant) to)"
_ADVERB = r"(?:(?:now|still|always|also|only|just|simply|correctly|then|instead|actually) )?"
_RESULT = r"(?:be (?:equal|equivalent) to|evaluate to|result in|produce|return|yield|equal|give|be)"
_DEMANDING = (
    rf"(?P<duty>(?:(?:it|that|which) )?{_DUTY} {_ADVERB}{_RESULT})",
    r"(?:you|we|i) (?:should|must|(?:want|need) to) get",
    "(?:i|we) expect", "expect", "to be equal to", "to equal", "to return", "to give", "to be",
    "sollte", "soll", "muss",
    "debería devolver", "debe devolver", "debería retornar", "debe retornar", "debería ser", "debe ser", "debe dar",
    "devrait renvoyer", "doit renvoyer", "devrait retourner", "doit retourner", "devrait être", "doit être",
    "doit donner", "deve retornar", "deve ser", "deve restituire", "deve essere",
)  # fmt: skip
_STATING = (
    rf"(?:would|will) {_ADVERB}{_RESULT}", "is equal to", "is equivalent to", "is the same as", "has the value",
    "evaluates to", "results in", "produces", "returns", "return", "equals", "yields", "gives", "is",
    "ergibt", "liefert", "gibt", "ist", "devuelve", "retorna", "renvoie", "retourne", "donne", "restituisce",
)  # fmt: skip
# Without spaces around them.
_DEMANDING_SIGNS = (
    "应该返回", "應該返回", "应当返回", "应返回", "必须返回", "应该是", "应该等于", "应为",
    "===", "==>", "==", "=>", "-->", "->", "➞", "→", "⇒", "➜", "⟶", "⟹", "↦", "—>", "–>",
)  # fmt: skip
_STATING_SIGNS = (
    "的结果是", "的结果为", "的返回值是", "的返回值为", "结果是", "结果为", "返回", "等于", "得到", "は", "=",
)  # fmt: skip
_CONNECTOR = re.compile(
    rf"(?P<demanded>(?:{'|'.join(_DEMANDING)})\b|{'|'.join(_DEMANDING_SIGNS)})"
    rf"|(?:{'|'.join(_STATING)})\b|{'|'.join(_STATING_SIGNS)}",
    re.IGNORECASE,
)
_DEMAND = re.compile(rf"\b{_DUTY} {_ADVERB}{_RESULT}\b")
_OWN_DEMAND = re.compile(  # of this call's result, and of nothing else
    rf"(?:\b(?:it|but|and)|[,;\u2013\u2014-]) {_DUTY} {_ADVERB}{_RESULT}\b", re.IGNORECASE
)
_MAX_REPORT_CHARS = 120
# How a sentence rejects the result that it has given. "f(3) must be 3, but is 4" and "f(3) == 3 instead of 4" do not.
_DENYING = (
    "which is wrong", "which is incorrect", "or ", "(or ", "oder ", "is wrong", "is incorrect", "(wrong", "(incorrect",
    "is not", "isn't", "is a bug", "(bug", "❌", "✗", "✘", "expected", "(expected", "this is wrong",
    "this is incorrect", "that is wrong", "that is incorrect", "in any order", "in some order", "which should",
    "and should",
)  # fmt: skip
_REJECTING_A_SIGN = (
    *_DENYING, "but", "although", "though", "aber", "pero", "mais", "但", "fails", "raises", "right now", "currently",
    "at the moment",
)  # fmt: skip
_REJECTING = (*_REJECTING_A_SIGN, "instead", "rather than", "statt")
# What follows a stated value if it is the faulty one: "returns 5, should be 6", "returns 5. That's a bug".
_CORRECTION = re.compile(
    r"[(\-\u2013\u2014→ ]*(?:(?:and|when|where|while|but|though|even though) )?(?:(?:it|this|that|which|what) )?"
    r"(?:really |actually )?"
    rf"{_DUTY} (?:be|have|return|give|equal|yield|produce|result|now|instead|rather)\b"
    r"|[(\-\u2013\u2014→ ]*(?:should|while|even though|(?:i|we) (?:expect|want|need)"
    r"|(?:this|that|which|it)(?:['\u2019]s| is) (?:an? )?(?:bug|wrong|incorrect|error|mistake|not ))"
)
_FILLERS = ("# ", "`", ":", "：", "should be", "returns", "return", "the value ", "the list ", "the string ",
            "the number ", "exactly ", "also ", "den wert ", "el valor ", "la valeur ")  # fmt: skip
_EMPTY_VALUES = {"list": "[]", "array": "[]", "string": "''", "tuple": "()", "dict": "{}", "dictionary": "{}"}
_EMPTY = re.compile(rf"(?:an |the )?empty (?P<type>{'|'.join(_EMPTY_VALUES)})\b", re.IGNORECASE)
_CONJUNCTIONS = frozenset({
    "and", "as", "because", "but", "for", "not", "or", "since", "so", "when", "while", "whereas", "if", "in", "with",
    "und", "weil", "da", "denn", "ergeben", "sein", "zurückgeben", "liefern", "zurück", "y", "porque", "et", "car",
    "parce", "e", "perché", "now", "instead", "rather", "too", "again", "always", "then",
    "according", "both", "even", "exactly", "given", "regardless",
})  # fmt: skip
# Words before a call, in its sentence, that mark it as wrong, as a request or as a condition.
_DOUBTS = re.compile(
    r"\b(?:current|got|wrong|broken|buggy|before(?=\W*$| (?:it|the|this|that)\b)|before:|currently|at the moment"
    r"|previously|used to|old version|wrongly|incorrectly|i get|i got|i ran|we get|why|actual|not true"
    r"|instead of|rather than|suppose|assume|hard-?code|(?:do not|don't)(?=[^,.]*$)|assertionerror|derzeit|aktuell"
    r"|fälschlich"
    r"|warum|actualmente|actuellement|pourquoi)\b|为什么|目前|[❌✗✘]"
    r"|\b(?:gives|says|not|never|doesn't|n't|if|unless|except|when|whenever|until|while|without|wenn|si)\W*$",
    re.IGNORECASE,
)
# These mark a statement as doubtful, but not a demand: "Actually, f(1) should be 4", "Fix the bug: f(1) should be 4".
_SOFT_DOUBTS = re.compile(r"\bactually\b|\bbug\b|\bnow\W*$", re.IGNORECASE)
_BUG = re.compile(r"\bbug\b", re.IGNORECASE)
_DEMANDED = re.compile(rf"[ \t`,]*{_DUTY}\b", re.IGNORECASE)
_IN_ARITHMETIC = re.compile(r"(?:\)[ \t]*[-+*/%\xd7·]|\w[ \t]*[+*\xd7·%]|\d[ \t]*-)[ \t]*$")  # fib(2) + fib(1) = 2
# A value that goes on: "1:00", "2 KB", "2 = 1 + 1", "1 and 2", "[1] and then [2]".
_VALUE_GOES_ON = re.compile(
    r":\d|[ \t`]*(?:[\xd7·÷^€$£°²³±≈]|=(?!>))|[ \t`]*(?:and|&|und|y|et|e)[ \t]+(?:then[ \t]+)?`?[-+\d\[({\"']"
)
# A whole statement is demanded or confirmed after it: "f(3) == 6 must hold".
_DEMANDED_WHOLE = re.compile(
    rf"[ \t`'\"]*{_DUTY} (?:(?:also|both|all|always|still|then) ){{0,2}}"
    r"(?:hold|be (?:true|satisfied|met|the case)|pass|succeed|work|evaluate to `?true)\b"
    r"|[ \t`'\"]*(?:muss|soll|sollte) (?:gelten|stimmen|wahr sein)\b|[ \t`'\"]*(?:debe cumplirse|doit être vrai)\b",
    re.IGNORECASE,
)
_CONFIRMED = re.compile(
    r"[ \t`'\"]*(?:holds?|gilt|is (?:true|right|correct|required|expected|wanted|what (?:i|we) (?:want|need)))\b",
    re.IGNORECASE,
)
_NEXT_CALL = re.compile(r"[A-Za-z_][\w.]*\(")
_CODE_LINE = re.compile(
    r"E {2,}|\[?(?:DEBUG|INFO|WARN(?:ING)?|ERROR|FAILED)\b|\d{4}-\d\d-\d\d[ T]"
    r"|(?:if|elif|while|def|class|del) |for \w+ in |(?:else|try):|(?:return|yield) (?:not )?\w+\("
    r"|\w+[ \t]*=[ \t]*\w+\(.*==",
    re.ASCII,
)
_SENTENCE_END = re.compile(r"[.;。；！!?？](?:\s|$)|[。；！？]")
# Words before it do not doubt what comes next: "Fix the bug so that f(1) == 2", "got f(1) == 3, expected f(1) == 2".
_PURPOSE = re.compile(
    r"(?<!not )(?<!n't )(?<!why )\b(?:fix|change|make|rewrite|update|write|repair)\b"
    r".{0,60}?\b(?:so(?: that)?|such that)\b|[,;] expected\b",
    re.IGNORECASE,
)
_RAISING = re.compile(
    rf"[ \t`,]*(?:#[ \t]*)?(?:(?:(?:->|=>|→)[ \t]*)?(?:(?:{_DUTY}|will|would)[ \t]+)?(?:raises?|throws?)[ \t]+"
    r"|(?P<arrow>->|=>|→)[ \t]*)(?:an?[ \t]+)?"
    r"(?:exception[ \t]+)?`?(?P<name>[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Iteration))\b(?(arrow)(?!:))",
)
# Raised by mistake rather than on purpose: a sentence that only states one of these reports a fault.
_FAULTS = frozenset({
    "AttributeError", "AssertionError", "IndexError", "KeyError", "ModuleNotFoundError", "ImportError", "MemoryError",
    "NameError", "RecursionError", "SyntaxError", "IndentationError", "UnboundLocalError",
})  # fmt: skip
_DEMANDED_RAISING = re.compile(rf"[ \t`,]*{_DUTY}[ \t]")
_COMMENT = re.compile(
    r"[ \t]*(?:#|//|=>|->|→)[ \t]*"
    r"(?:(?:expected(?: output| result)?|output|result"
    r"|prints?|returns?|should (?:print|be|return))[ \t]*:?[ \t]*)?(?:(?:=>|->|→)[ \t]*)?",
    re.IGNORECASE,
)
_PRINTED = re.compile(r"[ \t`]*(?:#|//)[ \t]*(?:should[ \t]+)?prints?\b", re.IGNORECASE)
_STARTS_CODE = re.compile(r"(?:[A-Za-z_]\w*[ \t]*=[ \t]*)?(?:print\()?$")
_COLON = re.compile(r"`?[ \t]*:[ \t]*`?")
_BULLET = re.compile(r"[ \t>*\-+•`]*(?:\d{1,3}[.)][ \t]+)?[`(]?")
_BOLD = re.compile(r"(?:(?<=\s)|^)\*\*([^*\s](?:[^*]*[^*\s])?)\*\*(?=[\s.,;:)]|$)")
_QUOTES = {ord(quote): '"' for quote in "“”„"}  # a word processor's
_LINK = re.compile(r"\.[A-Za-z_]\w*")
_BUILT_IN = frozenset(dir(builtins))


def read_sentence(line: str, following: str, *, of_changes: bool) -> Iterator[Example]:
    """Yield the examples in one line, which may end with a comment on the next: `print(f(1))` and `# 2`."""
    if "(" not in line or _CODE_LINE.match(line):
        return
    line = _remove_typography(line)
    taken = 0
    calls = list(find_calls(line))
    ends = [*(start for _, start, _ in calls[1:]), len(line)]
    for (name, start, end_of_call), next_start in zip(calls, ends[: len(calls)], strict=True):
        end = _end_of_chain(line, end_of_call)
        if start < taken or name in _BUILT_IN or _is_doubted(line, taken, start, end):
            continue
        call = parse_expression(line[start:end])
        if call is None or not has_constant_arguments(call):
            continue
        if raised := _read_raised(line, end, of_changes=of_changes):
            yield Example(name, line[start:end], None, raised)
            continue
        value = _read_after(line, end, of_changes=of_changes)
        if value is None:
            value = _read_demanded(line, end, next_start, _DEMAND if of_changes else _OWN_DEMAND)
        if value is not None:
            expected, taken = value
            if not _is_asked(line, taken):
                yield Example(name, line[start:end], expected)
        elif (example := _read_remark(name, line, following, (start, end))) is not None:
            yield example


def ends_clause(line: str, position: int) -> bool:
    """Whether a clause ends here: "is 4." and "is 4 because" do, "is 4 times as fast" and "is 4 KB" do not."""
    if _VALUE_GOES_ON.match(line, position):
        return False
    rest = line[position : position + 20].lstrip(" \t`'\"")
    if not rest[:1].isalnum() or not rest[0].isascii():
        return True
    return _NEXT_CALL.match(rest) is not None or rest.split(maxsplit=1)[0].rstrip(",.;:").lower() in _CONJUNCTIONS


def _remove_typography(line: str) -> str:
    return (_BOLD.sub(r"\1", line) if "**" in line else line).translate(_QUOTES)


def has_constant_arguments(call: ast.expr) -> bool:
    """Whether an expression is a call, or a chain of them, whose arguments are values, none of them unpacked."""
    if isinstance(call, ast.Attribute):
        return has_constant_arguments(call.value)
    if not isinstance(call, ast.Call):
        return False
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    is_constant = all(not isinstance(each, ast.Starred) and is_value(each) for each in arguments)
    return is_constant and (isinstance(call.func, ast.Name) or has_constant_arguments(call.func))


def _end_of_chain(line: str, end: int) -> int:
    """Return the end of what follows a call without a space: `Cart().total()`, `Point(1).x`."""
    while link := _LINK.match(line, end):
        after = end_of_item(line, link.end()) if line[link.end() : link.end() + 1] == "(" else link.end()
        if after is None:
            break
        end = after
    return end


def is_doubtful(text: str) -> bool:
    """Whether words before examples mark all of them as wrong, as a request or as a condition."""
    return _DOUBTS.search(text) is not None or _BUG.search(text) is not None


def is_rejected(line: str, position: int) -> bool:
    """Whether the text behind a stated result rejects or replaces it: "5, should be 6"."""
    return _is_contradicted(line, position) or _is_corrected(line, position)


def is_remark(line: str) -> bool:
    """Whether a line is only a comment."""
    return line.startswith(("#", "//"))


def _is_doubted(line: str, clause_start: int, start: int, end: int) -> bool:
    """Whether the sentence around the start of a call negates the statement that follows, or goes on before it."""
    before = _SENTENCE_END.split(line[max(clause_start, start - 80) : start])[-1]
    before = _PURPOSE.split(before)[-1]
    if _DOUBTS.search(before) or _IN_ARITHMETIC.search(before):
        return True
    return _SOFT_DOUBTS.search(before) is not None and not _DEMANDED.match(line, end)


def _is_asked(line: str, position: int) -> bool:
    """Whether the sentence that continues at a position is a question."""
    ended = _SENTENCE_END.search(line, position, position + _MAX_REPORT_CHARS)
    return ended is not None and ended[0][0] in "?？"


def _read_raised(line: str, position: int, *, of_changes: bool) -> str:
    """Return the exception that a call should raise, or "" if none is stated."""
    found = _RAISING.match(line, position)
    if found is None:
        return ""
    if (of_changes or found["name"] in _FAULTS) and not _DEMANDED_RAISING.match(line, position):
        return ""
    return "" if is_rejected(line, found.end()) else found["name"]


def _read_demanded(line: str, start: int, end: int, demand: re.Pattern[str]) -> tuple[str, int] | None:
    """Return the value demanded of a call after its present result: "f([]) raises IndexError. It should be 0"."""
    words = line[start : min(end, start + _MAX_REPORT_CHARS)]
    found = demand.search(words)
    if found is None:
        return None
    value = read_value(line, _skip(line, start + found.end(), " \t`:"))
    return value if value is not None and ends_clause(line, value[1]) else None


def _read_after(line: str, position: int, *, of_changes: bool) -> tuple[str, int] | None:
    """Return the value that a sentence gives to the expression that ends at `position`, and where the value ends."""
    position = _skip(line, position, " \t`,，(")
    if line.startswith("# ", position) or line.startswith("// ", position):
        position = _skip(line, position, "#/ \t")
    connector = _CONNECTOR.match(line, position)
    if connector is None:
        return None
    is_demanded = connector["demanded"] is not None
    if of_changes and not is_demanded:
        return None
    position = _skip(line, connector.end(), " \t`:：")
    for filler in _FILLERS:
        if line[position : position + len(filler)].lower() == filler:
            position = _skip(line, position + len(filler), " \t`:")
    value = _read_empty(line, position) or read_value(line, position)
    if value is None:
        return None
    is_duty = connector["duty"] is not None
    rejecting = _DENYING if is_duty else _REJECTING_A_SIGN if is_demanded else _REJECTING
    if _is_contradicted(line, value[1], rejecting):
        return None
    return value if _ends_statement(line, value[1], is_duty=is_duty) else None


def _ends_statement(line: str, position: int, *, is_duty: bool) -> bool:
    """Whether a statement that its sentence means ends here; `is_duty`: a verb before its value demands it."""
    if _DEMANDED_WHOLE.match(line, position):
        return True
    if not is_duty and _is_corrected(line, position):
        return False
    if confirmed := _CONFIRMED.match(line, position):
        return not _is_contradicted(line, confirmed.end())
    return ends_clause(line, position)


def _read_empty(line: str, position: int) -> tuple[str, int] | None:
    found = _EMPTY.match(line, position)
    return (_EMPTY_VALUES[found["type"].lower()], found.end()) if found else None


def _read_remark(name: str, line: str, following: str, call: tuple[int, int]) -> Example | None:
    """Return the example in a line of code with a remark: `f(1)  # 2`, `print(f(1))  # 2`, `f(1): 2`."""
    start, end = call
    head = line[_end_of_bullet(line) : start]
    if not _STARTS_CODE.match(head):
        return None
    is_printed = head.endswith("print(")
    position = end
    if is_printed:
        if line[end : end + 1] != ")":
            return None
        position = end + 1
    if not is_printed and _PRINTED.match(line, position):
        return None
    remark = _read_comment(line[position:]) or ("" if line[position:].strip("` \t") else _read_comment(following))
    if not remark and not head and (colon := _COLON.match(line, position)):
        remark = line[colon.end() :].strip("` \t")
    return _compare_remark(name, line[start:end], remark, is_printed=is_printed) if remark else None


def _end_of_bullet(line: str) -> int:
    bullet = _BULLET.match(line)
    return bullet.end() if bullet else 0


def _read_comment(text: str) -> str:
    mark = _COMMENT.match(text)
    return text[mark.end() :].strip("` \t") if mark else ""


def _compare_remark(name: str, call: str, remark: str, *, is_printed: bool) -> Example | None:
    """Return the example of a remark that is only a value; a printed value is compared as text."""
    value = read_value(remark, 0)
    if value is None or remark[value[1] :].strip(" \t`.,;"):
        return Example(name, f"str({call})", repr(remark)) if is_printed and _is_plain_word(remark) else None
    if is_printed and remark[0] not in "[({":
        return Example(name, f"str({call})", repr(remark[: value[1]].strip("'\"")))
    return Example(name, call, value[0])


def _is_plain_word(remark: str) -> bool:
    is_note = is_doubtful(remark) or remark.lower() in ("error", "exception", "todo", "prints", "nothing")
    return remark.isidentifier() and not is_note


def _is_contradicted(line: str, position: int, rejecting: tuple[str, ...] = _REJECTING) -> bool:
    """Whether the sentence continues by rejecting the result: "gives 3, but"."""
    return line[position : position + 40].lstrip(" \t`'\",;.，。").lower().startswith(rejecting)


def _is_corrected(line: str, position: int) -> bool:
    """Whether another value is demanded after a stated one: "returns 5, should be 6"."""
    return _CORRECTION.match(line[position : position + 60].lstrip(" \t`'\",;.，。!").lower()) is not None


def _skip(line: str, position: int, characters: str) -> int:
    while position < len(line) and line[position] in characters:
        position += 1
    return position
