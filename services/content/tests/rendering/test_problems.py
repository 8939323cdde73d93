"""Problems without answers: whatever says what is right is left out, of known and unknown elements alike."""

from datetime import UTC, datetime

import pytest

from common.keys import CourseKey
from content.rendering.links import Links
from content.rendering.problems import render_problem
from content.versions.tree import Tree

COURSE = CourseKey.parse("course-v1:O+C+R")
LINKS = Links(Tree(COURSE, str(COURSE), "published", "0" * 24, 1, datetime.now(UTC), {}))


LEAKS = """
<problem><choicegroup><choice correct="true">a<choicehint>ANSWER</choicehint></choice></choicegroup></problem>
<problem><choiceresponse><checkboxgroup/><solution>ANSWER</solution></choiceresponse></problem>
<problem><numericalresponse answer="ANSWER"><formulaequationinput/></numericalresponse></problem>
<problem><stringresponse answer="ANSWER"><additional_answer answer="ANSWER">ANSWER</additional_answer></stringresponse>
<problem><textline size="20" correct_answer="ANSWER"/><correcthint>ANSWER</correcthint></problem>
<problem><optioninput options="('a','b')" correct="ANSWER"/></problem>
<problem><optioninput><option correct="True">a<optionhint>ANSWER</optionhint></option></optioninput></problem>
<problem><customresponse cfn="f" expect="ANSWER"><textline correct_answer="ANSWER"/></customresponse></problem>
<problem><script type="loncapa/python">x = "ANSWER"</script></problem>
<problem><script>ANSWER</script><SCRIPT>ANSWER</SCRIPT><p>text</p></problem>
<problem><demandhint><hint>ANSWER</hint></demandhint><hintgroup><hintpart>ANSWER</hintpart></hintgroup></problem>
<problem><imageresponse><imageinput src="/static/x.png" rectangle="(ANSWER)"/></imageresponse></problem>
<problem><div class="detailed-solution"><p>ANSWER</p></div></problem>
<problem><p style="display: none">ANSWER</p><p hidden="hidden">ANSWER</p></problem>
<problem><!-- ANSWER --><p>text<!-- ANSWER --></p><?pi ANSWER?></problem>
<problem><targetedfeedbackset><targetedfeedback>ANSWER</targetedfeedback></targetedfeedbackset></problem>
<problem><schematicresponse><schematic initial="ANSWER"/><answer>ANSWER</answer></schematicresponse></problem>
<problem><jsinput gradefn="ANSWER" html_file="/static/ANSWER"/></problem>
<problem><never_heard_of>ANSWER<p>ANSWER</p></never_heard_of></problem>
<problem><p data-answer="ANSWER" onclick="ANSWER()">text</p></problem>
<!DOCTYPE x [<!ENTITY e 'ANSWER'>]><problem><p>&e;</p></problem>
ANSWER
<problem><solution>ANSWER</problem>
"""


@pytest.mark.parametrize("data", ["", *LEAKS.strip().splitlines()])
def test_no_answer_comes_through(data):
    assert "ANSWER" not in render_problem(data, LINKS)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("<problem><p>Why <b>so</b>?</p></problem>", ["<p>Why <b>so</b>?</p>"]),
        ('<problem><label>Q</label><description>D</description></problem>', ["<strong>Q</strong>", "D</p>"]),
        ('<problem><choicegroup label="Q"><choice correct="true">a <i>b</i></choice></choicegroup></problem>',
         ['<input type="radio" name="q1" disabled="">', "a <i>b</i>", "Q"]),
        ("<problem><checkboxgroup><choice>a</choice></checkboxgroup></problem>", ['type="checkbox"']),
        ("<problem><optioninput options=\"('one','two')\"/></problem>",
         ["<option>one</option>", "<option>two</option>"]),
        ("<problem><optioninput><option correct='True'>x</option></optioninput></problem>", ["<option>x</option>"]),
        ("<problem><textline/> after</problem>", ['<input type="text" aria-label="Answer" disabled="">', " after"]),
        ('<problem><img src="/static/a.png"/></problem>', ['src="/asset-v1:O+C+R+type@asset+block@a.png"']),
        ("<problem><p>kept</p><solution>x</solution>and this</problem>", ["<p>kept</p>", "and this"]),
        ('<problem><a href="javascript:alert(1)">x</a><iframe src="x"/></problem>', ["<a", ">x</a>"]),
    ],
)  # fmt: skip
def test_the_prompt_and_dead_inputs_do(data, shown):
    html = render_problem(data, LINKS)
    for words in shown:
        assert words in html
    assert "javascript:" not in html
