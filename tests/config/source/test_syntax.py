"""Syntax errors of YAML are explained in words, with line and column, and show nothing of the file."""

import pytest
import yaml

from config.source.syntax import explain
from tests.config.source.test_document import parsed

HEAD = "models:\n  - name: a\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f'{HEAD}    api_key: "s3cret\n    base_url: x\n', 3, "a closing quote is missing for the quote at column 14"),
        (f"{HEAD}    api_key: 's3cret\ncritic: a\n", 3, "a closing quote is missing for the quote at column 14"),
        ('models:\n  - {name: a, api_key: "s3cret}\n', 2, "a closing quote is missing for the quote at column 24"),
        (f'{HEAD}    api_key: "s3cret\n    base_url: "x"\n', 4, "text after a closing quote, at column 16: is a quote"),
        (f'{HEAD}    api_key: "a" s3cret\n', 3, "text after a closing quote, at column 18"),
        (f'{HEAD}    path: "C:\\Users\\s3cret"\n', 3, "in double quotes a backslash starts one; use single quotes"),
        (
            f"{HEAD}     base_url: s3cret\n",
            3,
            "ends at column 14 where no key can be: it is indented too far",
        ),
        ("models:\n  - name s3cret\n    base_url: x\n", 3, "or the line above lacks its colon"),
        ("models:\n  -name: a\n   base_url: x\n", 3, "or the space after its dash"),
        (f"{HEAD}   base_url: s3cret\n", 3, "is indented wrongly: column 4 does not belong to the list that starts"),
        (
            "models:\n    - name: a\n  - name: s3cret\n",
            3,
            "column 3 does not belong to the mapping",
        ),
        ("server:\n    port: 1\n  host: s3cret\n", 3, "that starts on line 1, column 1"),
        (" models: []\ncritic: s3cret\n", 2, "is indented wrongly: column 1 is further left than the lines above"),
        ("server:\n\tport: 1\n", 2, "has a tab at column 1: indent with spaces"),
        ("server:\n  port: 1\n\thost: s3cret\n", 3, "has a tab at column 1: indent with spaces"),
        ("models:\n  - {name: a\n  - {name: s3cret}\n", 2, "'}' is missing in the { at column 5, before line 3"),
        ("models:\n  - {name: a\n  # b\n\ncritic: s3cret\n", 2, "is missing in the { at column 5, before line 5"),
        ("a:\n- [s3cret, b}\n", 2, "',' or ']' is missing at column 13, in the [ at column 3"),
        ('- {a: "${B}, b: c}\n- {a: "s3cret"}\n', 1, "; a quote is missing on this line"),
        ('- {a: ${s3cret}", b: c}\n', 1, "a closing quote is missing for the quote at column 16"),
        ("- {a: \u201c${s3cret}\u201d, b: c}\n", 1, "; replace the typographic quotes by plain ones"),
        ("a: {b: ${s3cret}}\n", 1, "within {…} and […], ${VAR} must be in quotes"),
        ("a: [s3cret\n", 1, "',' or ']' is missing"),
        ("a:\n  prompt: Do this: s3cret\n", 2, "has a second colon, at column 18: put a value that contains ': ' in"),
        ("- a: b: c\n", 1, "has a second colon, at column 7"),
        ("name: @s3cret\n", 1, "starts with a reserved character, at column 7: put the value in quotes"),
        ("name: %s3cret\n", 1, "starts with a reserved character, at column 7: put the value in quotes"),
        ("name: `s3cret`\n", 1, "starts with a reserved character, at column 7: put the value in quotes"),
        ("aliases:\n  *: mom\n", 2, "has a * that starts a word, at column 3: put the word in quotes"),
        (
            "aliases:\n  *s3cret: mom\n",
            2,
            "uses an alias at column 3 that no anchor (&) defines",
        ),
        ("a:\n - b\n s3cret\n", 3, "has a key without a colon, at column 2"),
        ("a: 1\n---\nb: s3cret\n", 2, "has a second document after ---"),
        ("a: 1\nb: \x07s3cret\n", 2, "has a control character"),
        ("a: }s3cret\n", 1, "while parsing a block node, did not find expected node content, at column 4"),
    ],
)
def test_the_cause_is_named_with_line_and_column(text: str, line: int, words: str) -> None:
    """Each common mistake has its own sentence; the line is that of the mistake, if it can be known."""
    _, (problem,) = parsed(text)
    assert problem.startswith(f"f:{line}: is not YAML: ")
    assert words in problem
    assert "s3cret" not in problem


@pytest.mark.parametrize("text", ['a: "x\n', "a:\n\tb: 1\n", "a: b: c\n", "a: {b\n", "a: *x\n", "a: %\n"])
def test_both_parsers_of_pyyaml_get_the_same_explanation(text: str) -> None:
    """PyYAML may be built without libyaml; its own parser words and places errors slightly differently."""
    explanations = set()
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        with pytest.raises(yaml.YAMLError) as caught:
            yaml.compose(text, Loader=loader)
        explanations.add(explain(caught.value, text)[1].split(":")[0].split(", at")[0])
    assert len(explanations) == 1
