"""Markdown that Jupyter shows as the book would."""

import pytest

from repro.book.rerun.plain import cite, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{doc}`what-scaling-costs`", "What scaling costs"),
        ("{doc}`the costs <what-scaling-costs>`", "the costs"),
        ("[](what-scaling-costs)", "What scaling costs"),
        ("[here](how-to-use.md#rerun)", "here"),
        ("[out](https://example.org)", "[out](https://example.org)"),
        ("{term}`Flops <flops>` and {term}`acts`", "Flops and acts"),
        ("{exhibit}`fig-x`, {exhibit}`tab-y`", "Figure 2.3, the table"),
        ("(label)=\n## Title", "## Title"),
        ("{cite:t}`dollar2021fast`", "Dollár et al. (2021)"),
        ("{cite:p}`tan2019efficientnet`", "(Tan and Le, 2019)"),
        ("$a_{b}$ and `{x}`", "$a_{b}$ and `{x}`"),
    ],
)
def test_roles_links_and_labels(text, shown):
    assert plain(text, {"fig-x": "Figure 2.3"}) == shown


def test_several_citations():
    assert cite("p", "tan2019efficientnet, he2016deep") == "(Tan and Le, 2019; He et al., 2016)"


def test_boxes_exercises_and_solutions():
    text = """\
:::{admonition} Which blocks?
:class: tip

Dense ones.

- one
:::

:::{exercise} easy, 5 minutes
:label: ex-1

Count.
:::

:::{solution-start} ex-1
:class: dropdown
:::

Four.

:::{solution-end}
:::
"""
    assert (
        plain(text)
        == """\
> **Which blocks?**
>
> Dense ones.
>
> - one

**Exercise** (easy, 5 minutes)

Count.

**Solution**

Four."""
    )
