"""What a rerun changed, in words."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from repro.book.rerun.changes import Change, changes, fill, key_numbers

TABLE = (
    '<div class="repro-table" id="tab-short"><table><caption>Two networks in four columns, and '
    "their ratio.</caption><thead><tr><th>model</th><th>flops</th></tr></thead>"
    "<tbody><tr><td>EN-B0</td><td>{}</td></tr></tbody></table></div>"
)
FIGURE = (
    '<figure class="repro-figure" id="fig-volumes"><svg>{}</svg>'
    "<figcaption>Volumes. More words.</figcaption></figure>"
)


def glued(**numbers):
    return [
        new_output(
            "display_data",
            data={"application/papermill.record/text/plain": repr(value)},
            metadata={"scrapbook": {"name": name}},
        )
        for name, value in numbers.items()
    ]


def html(text):
    return new_output("execute_result", data={"text/html": text, "text/plain": "Table: x"})


def notebook(prose, *outputs):
    cells = [new_markdown_cell(prose, id="prose")]
    for n, output in enumerate(outputs):
        cell = new_code_cell("x", id=f"cell-{n}")
        cell.outputs = output if isinstance(output, list) else [output]
        cells.append(cell)
    return new_notebook(cells=cells)


def test_key_numbers_are_the_glued_ones():
    made = notebook("", [*glued(a=1.5), new_output("stream", text="hello"), html("<b>7</b>")])
    assert key_numbers(made) == {"a": "1.5"}


def test_prose_shows_numbers_as_the_book_does():
    numbers = {"x": "3.14159", "name": "'EN-B0'", "n": "1234"}
    text = "{glue:text}`x:.2f`, {glue:text}`name`, {glue:text}`n:,d`"
    assert fill(text, numbers, numbers) == "3.14, EN-B0, 1,234"


def test_nothing_changed_says_what_was_looked_at():
    one = notebook("{glue:text}`a`", [*glued(a=1), html(TABLE.format(1))], html(FIGURE.format("o")))
    found = changes(one, one)
    assert not found
    assert found.same == "1 table, 1 figure, 1 number"


def test_each_exhibit_that_differs_is_a_line_in_words():
    old = notebook("## Costs", html(TABLE.format(1)), html(FIGURE.format("o")))
    new = notebook("## Costs", html(TABLE.format(2)), html(FIGURE.format("x")))
    assert changes(old, new).exhibits == (
        Change(
            'Table "Two networks in four columns"',
            '1 of 4 cells differ, in row "EN-B0"',
            "tab-short",
        ),
        Change('Figure "Volumes"', "drawn anew", "fig-volumes"),
    )


def test_longer_tables_new_and_missing_exhibits_and_printed_lines():
    longer = TABLE.replace("</tbody>", "<tr><td>b</td><td>3</td></tr></tbody>")
    old = notebook("## Costs", html(TABLE.format(1)), html(FIGURE.format("o")), [])
    printed = new_output("stream", name="stdout", text="one\ntwo")
    new = notebook("## Costs", html(longer.format(1)), [], html(FIGURE.format("o")))
    new.cells[1].outputs.append(printed)
    assert [str(change) for change in changes(old, new).exhibits] == [
        'Table "Two networks in four columns": 2 rows (stored: 1); new: row "b"',
        'The output of a cell under "Costs" differs: one (stored: nothing), and 1 more line',
        'Figure "Volumes": not there in this rerun',
        'Figure "Volumes": new',
    ]


def test_numbers_stand_in_their_sentence():
    prose = "# T\n\nIt takes *about* {glue:text}`t:.2f` ms on {glue:text}`n` GPUs."
    old = notebook(prose, glued(t=1.0, n=8, idle=2.5))
    new = notebook(prose, glued(t=2.0, n=8, idle=3.123456))
    found = changes(old, new)
    assert found.numbers == (
        "It takes about 2.00 (stored: 1.00) ms on 8 GPUs.",
        "idle: 3.123 (stored: 2.5)",
    )
    assert found.same == "1 number"


def test_a_notebook_on_disk_is_the_same_after_reading(tmp_path):
    made = notebook("{glue:text}`a`", glued(a=1))
    nbformat.write(made, tmp_path / "x.ipynb")
    assert not changes(made, nbformat.read(tmp_path / "x.ipynb", as_version=4))


def test_a_caption_alone_is_a_difference_and_is_quoted_where_it_differs():
    other = TABLE.replace("four columns", "eight columns")
    [change] = changes(
        notebook("", html(TABLE.format(1))), notebook("", html(other.format(1)))
    ).exhibits
    assert change.what == 'Table "Two networks in eight columns"'
    assert change.how == (
        'the same cells under another caption: "Two networks in eight columns, and their ratio."'
    )


def test_printed_output_is_quoted_unless_its_cell_is_out_of_sight():
    old, new = (
        notebook("## Costs", new_output("stream", name="stdout", text=f"a  {n}\nb\n"))
        for n in (1, 2)
    )
    found = changes(old, new)
    assert [str(c) for c in found.exhibits] == [
        'The output of a cell under "Costs" differs: a 2 (stored: a 1)'
    ]
    assert changes(old, old).same == "1 printed output"
    for made in (old, new):
        made.cells[1].metadata["tags"] = ["remove-cell"]
    assert not changes(old, new)


def test_names_in_a_drawing_that_come_and_go_are_said():
    old, new = (
        notebook("", html(FIGURE.format(f"<text x='1'>{name}</text><text>{tick}</text>")))
        for name, tick in (("H200", 10), ("H100", 20))
    )
    assert changes(old, new).exhibits[0].how == 'drawn anew; "H100" in place of "H200"'


def test_columns_that_differ_or_are_new_are_named():
    def table(head, *rows):
        cells = [f"<tr>{''.join(f'<td>{x}</td>' for x in row)}</tr>" for row in (head, *rows)]
        return notebook("", html(f"<table><caption>T</caption>{''.join(cells)}</table>"))

    old = table("nft", "a12", "b34")
    assert changes(old, table("nft", "a92", "b94")).exhibits[0].how == (
        '2 of 9 cells differ, in column "f"'
    )
    assert changes(old, table("nfg", "a12", "b34")).exhibits[0].how == (
        '1 of 9 cells differ; column "g" in place of "t"'
    )
    assert changes(old, table("nf", "a1", "b3")).exhibits[0].how == (
        '2 columns (stored: 3); gone: column "t"'
    )
