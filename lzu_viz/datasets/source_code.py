"""Python source code without comments and docstrings, for hashes of code that made stored data."""

import ast
import io
import tokenize


def without_words(source: str) -> str:
    r"""Return Python code without comments, docstrings and empty lines.

    Example:
        >>> without_words('def f():  # a comment\n    "A docstring."\n\n    return 1')
        'def f():\n    return 1'
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            # An expression statement that is a string is documentation.
            if (
                isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ):
                for row in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
                    lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())
