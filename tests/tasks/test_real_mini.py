"""What is shipped for a real model: clean tasks, texts, and questions with their answers."""

import importlib.util
import json
from pathlib import Path

import pytest

from fggm_lab.errors import DataError, SettingError
from fggm_lab.tasks import audit, load_general, load_tasks, score
from fggm_lab.tasks.chat import ChatPrompt
from fggm_lab.tasks.shipped import data_folder
from fggm_lab.tasks.task import SPLITS

DATA = data_folder()
TASKS = load_tasks("real-mini")


def test_three_clean_tasks_share_no_prompt_between_splits() -> None:
    assert TASKS.names == ["CLINC150", "NL2Bash", "SVAMP"]
    assert [task.metric for task in TASKS] == ["accuracy", "edit_similarity", "final_number"]
    assert audit(TASKS).clean
    for task in TASKS:
        prompts = [example.prompt for split in SPLITS for example in task.split(split)]
        assert len(prompts) == len(set(prompts)) == 540


def test_every_command_is_in_one_split_only() -> None:
    commands = [example.answer for split in SPLITS for example in TASKS["NL2Bash"].split(split)]
    assert len(set(commands)) == len(commands)


def test_every_calculation_comes_to_what_it_says() -> None:
    operations = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}
    for split in SPLITS:
        for example in TASKS["SVAMP"].split(split):
            first, operation, second, _, result = example.answer.split()
            assert operations[operation](int(first), int(second)) == int(result)
            assert score("final_number", example.prompt, f"It is {result}.", example.answer) == 1


def test_a_topic_is_one_of_those_that_the_prompt_lists() -> None:
    for split in SPLITS:
        for example in TASKS["CLINC150"].split(split):
            question, _, request = example.prompt.partition("?\n")
            assert example.answer in question and request


def test_the_questions_have_one_right_choice_of_four() -> None:
    [questions] = load_general("real-questions").choices.values()
    assert len({question.prompt for question in questions}) == 100
    assert {len(question.choices) for question in questions} == {4}
    labels = [question.label for question in questions]
    assert [labels.count(label) for label in range(4)] == [25] * 4
    joined = [question.prompt + choice for question in questions for choice in question.choices]
    assert all("Answer: " in text for text in joined)


def test_the_texts_are_of_four_kinds() -> None:
    texts = load_general("real-texts").texts
    assert list(texts) == ["chat", "code", "encyclopaedia", "stories"]
    compile(texts["code"], "code.txt", "exec")


@pytest.mark.parametrize("folder", ["real-mini", "real-questions", "real-texts"])
def test_what_is_shipped_names_its_licence(folder: str) -> None:
    card = (DATA / folder / "README.md").read_text("utf-8")
    assert "MIT" in card
    for task in TASKS.names if folder == "real-mini" else ():
        assert f"| {task} |" in card


def test_an_unknown_general_names_those_that_ship() -> None:
    with pytest.raises(DataError, match="or 'real-questions'; did you mean 'real-texts'"):
        load_general("real-text")


def test_prompts_become_a_users_messages() -> None:
    talks = TASKS.as_conversations()
    assert talks.names == TASKS.names and talks.source == TASKS.source
    for task, talk in zip(TASKS, talks, strict=True):
        example, message = task.test[0], talk.test[0]
        assert isinstance(message.prompt, ChatPrompt)
        assert message.prompt.messages == (("user", example.prompt),)
        assert (str(message.prompt), message.answer) == (example.prompt, example.answer)
        assert talk.metric == task.metric
    assert talks.as_conversations()["SVAMP"].test == talks["SVAMP"].test


def test_the_beginning_of_a_program_is_no_message() -> None:
    with pytest.raises(SettingError, match="Comments is a code task"):
        load_tasks("code-mini").as_conversations()


def write_published(folder: Path) -> None:
    """The three repositories in small, with what must be left out of them."""
    intents = {"banking": ["freeze_account"], "meta": ["who_made_you"]}
    requests = [[f"freeze account {n}", "freeze_account"] for n in range(20)]
    problem = {"Body": "A. had 8 eggs.", "Question": "How many?", "Equation": "( 8.0 - 3.0 )"}
    rows: dict[str, object] = {
        "data/domains.json": intents,
        "data/data_full.json": {name: requests for name in ("train", "val", "test")},
        "SVAMP.json": [
            *({**problem, "Body": f"B{n}", "Answer": 5.0} for n in range(20)),
            {**problem, "Equation": "( 800.0 - 3.0 )", "Answer": 797.0},
            {**problem, "Equation": "( ( 8.0 - 3.0 ) + 1.0 )", "Answer": 6.0},
            {**problem, "Equation": "9.0", "Answer": 9.0},
        ],
    }
    (folder / "data" / "bash").mkdir(parents=True)
    for name, value in rows.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    descriptions = [*(f"list {n}" for n in range(20)), "list 0", "another list 1", "x" * 121]
    commands = [*(f"ls {n}" for n in range(20)), "ls -l", "ls 1", "ls"]
    for name, lines in (("all.nl", descriptions), ("all.cm", commands)):
        (folder / "data" / "bash" / name).write_text("\n".join(lines), encoding="utf-8")


def test_the_script_leaves_out_what_is_long_twofold_or_of_several_steps(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_real", DATA / "make_real.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    write_published(tmp_path / "published")
    script.make(*[tmp_path / "published"] * 3, tmp_path / "made")
    tasks = load_tasks(tmp_path / "made")
    answers = {
        task.name: sorted(e.answer for split in SPLITS for e in task.split(split)) for task in tasks
    }
    assert answers["SVAMP"] == ["8 - 3 = 5"] * 20
    assert answers["NL2Bash"] == sorted(f"ls {n}" for n in range(20))
    assert set(answers["CLINC150"]) == {"banking"}
