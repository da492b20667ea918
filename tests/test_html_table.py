"""Tables for notebooks: escaped, aligned, cut where they would be long."""

from fggm_lab.html_table import html_table, plain_lines


def test_texts_are_escaped_and_numbers_short() -> None:
    page = html_table("<a> & b", ["name", "score"], [["x<y", 0.123456], ["z", None], ["n", 12345]])
    assert "&lt;a&gt; &amp; b" in page and "x&lt;y" in page
    assert ">0.123<" in page and ">12345<" in page
    assert "<a>" not in page and "None" not in page
    assert page.count("<tr>") == 4


def test_a_long_table_says_how_much_it_leaves_out() -> None:
    page = html_table("many", ["n"], [[number] for number in range(60)])
    assert ">49<" in page and ">50<" not in page and "and 10 more" in page


def test_plain_text_of_a_record_is_broken_between_words() -> None:
    text = "TaskSequence[" + ", ".join(f"NumGLUE-{n} (640)" for n in range(9)) + "]"
    lines = plain_lines(text).splitlines()
    assert len(lines) > 1 and max(map(len, lines)) <= 80
    assert " ".join(line.strip() for line in lines) == text
