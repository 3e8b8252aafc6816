from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from controller.config.config import Config, load_config
from controller.errors import ConfigurationError
from kapellmeister.explaining.configuration import (
    check_config,
    explain_config,
    print_config,
    to_toml,
)

REFERENCE = Path(__file__).parents[3] / "config.toml"
DEFAULTS = Config.model_construct()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my.toml"


def refusal(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_config(file)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(file))


def test_the_reference_file_states_every_default_below_its_description() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == print_config(DEFAULTS) + "\n"


def test_every_key_has_a_description() -> None:
    for field in Config.model_fields.values():
        for key in type(field.default).model_fields.values():
            assert key.description


def test_the_reference_file_loads_to_the_defaults() -> None:
    assert load_config(REFERENCE).model_dump() == DEFAULTS.model_dump()


def test_what_is_printed_is_what_is_in_force(file: Path) -> None:
    file.write_text("[loop]\ninterval_s = 0.25\nact = 'none'\n", encoding="utf-8")
    printed = tomllib.loads(print_config(load_config(file)))
    assert printed["loop"] == {"interval_s": 0.25, "policy": "conductor", "act": "none"}
    assert printed["objective"]["priority"] == "audio"


@pytest.mark.parametrize("value", [0.1, 1e-05, 7, True, 'C:\\a "b"\n\x7f', "Grüße"])
def test_a_value_comes_back_from_toml_as_it_went(value: object) -> None:
    assert tomllib.loads(f"key = {to_toml(value)}")["key"] == value


def test_a_table_within_a_table_is_printed_in_one_line_and_comes_back(file: Path) -> None:
    file.write_text(
        "[remote]\nload = 'x'\n[remote.readings]\n'audio.utilisation' = 'busy'\n"
        "[remote.knobs.batch_size]\ngauge = 'b'\nchoice = [8, 16]\nowner = 'hpa'\n",
        encoding="utf-8",
    )
    printed = print_config(load_config(file))
    assert 'load = { metric = "x" }\n' in printed
    assert 'knobs = { batch_size = { gauge = "b", choice = [8, 16], owner = "hpa" } }\n' in printed
    loaded = load_config(file).remote
    file.write_text(printed, encoding="utf-8")
    assert load_config(file).remote == loaded


def test_a_secret_in_an_address_is_refused(file: Path) -> None:
    told = refusal(file, "[remote]\nmetrics_url = 'http://me:secret@host/'\n")
    assert "an address holds no password; name token_env or token_file instead" in told


@pytest.mark.parametrize(
    ("knob", "domain", "told"),
    [
        ("nodes", "low = 0\nhigh = 4", "knob nodes is counted: name low, at least 1, and high"),
        ("nodes", "choice = [1, 2]", "knob nodes is counted: name low, at least 1, and high"),
        ("batch_size", "low = 8\nhigh = 64", "knob batch_size is a choice of sizes, of at least 1"),
    ],
)
def test_a_knob_that_no_policy_could_turn_is_refused(
    file: Path, knob: str, domain: str, told: str
) -> None:
    addresses = "metrics_url = 'http://host/metrics'\ncontrol_url = 'http://host'\n"
    text = f"[remote]\n{addresses}[remote.knobs.{knob}]\ngauge = 'g'\n{domain}\n"
    assert told in refusal(file, text)


def test_the_environment_overrides_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[loop]\npolicy = 'conductor'\n", encoding="utf-8")
    monkeypatch.setenv("KAPELLMEISTER_LOOP__POLICY", "static")
    assert load_config(file).loop.policy == "static"


def test_an_unknown_key_is_refused_by_name(file: Path) -> None:
    assert refusal(file, "[loop]\nintervall_s = 1.0\n") == (
        ": loop.intervall_s: no such key; `kapellmeister config` lists all"
    )


def test_an_unknown_table_is_refused_by_name(file: Path) -> None:
    assert refusal(file, "[lop]\n") == ": lop: no such key; `kapellmeister config` lists all"


def test_an_impossible_value_is_refused_with_what_was_found(file: Path) -> None:
    message = refusal(file, "[objective]\ntarget_miss_rate = 2.0\n")
    assert message.startswith(": objective.target_miss_rate: ")
    assert "(found 2.0)" in message


def test_text_where_a_number_belongs_is_refused(file: Path) -> None:
    assert "(found 'fast')" in refusal(file, "[loop]\ninterval_s = 'fast'\n")


def test_an_infinite_interval_is_refused(file: Path) -> None:
    assert refusal(file, "[loop]\ninterval_s = inf\n").startswith(": loop.interval_s: ")


def test_budgets_beyond_the_whole_are_refused(file: Path) -> None:
    message = refusal(file, "[budget]\naudio = 0.9\n")
    assert message.startswith(": budget: the shares add up to 1.50, more than 1")


def test_more_nodes_than_the_most_are_refused(file: Path) -> None:
    assert "nodes 5 exceeds nodes_max 4" in refusal(file, "[pipeline]\nnodes = 5\n")


def test_a_file_that_is_no_toml_is_refused_with_the_line(file: Path) -> None:
    assert "line 1" in refusal(file, "loop = [\x01\n")


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_config(file)


def test_a_checked_file_says_what_it_changes(file: Path) -> None:
    file.write_text("[loop]\npolicy = 'static'\ninterval_s = 1.0\n", encoding="utf-8")
    assert check_config(file) == (
        f'{file}: valid; 1 changed from the defaults\nloop.policy = "static" (default "conductor")'
    )


@pytest.mark.parametrize(
    ("table", "key", "name", "why"),
    [
        ("loop", "policy", "sorcerer", "policy sorcerer: no such name; known: "),
        ("loop", "policy", "hpa:target=0", "policy hpa:target=0: target must be at least 0.01"),
        ("loop", "policy", "{file}:Broken", "has no name and no decide"),
        ("forecast", "model", "sorcerer", "forecaster sorcerer: no such name; known: "),
        ("forecast", "model", "{file}:Broken", "has no name and no update and no predict"),
        ("forecast", "model", "{file}:None_", "does not load: AttributeError"),
        ("forecast", "model", "{file}:Raising", "cannot be made: ValueError('never')"),
        ("pipeline", "workload", "noise", "workload noise: no such name; known: "),
    ],
)
def test_a_checked_file_names_only_plug_ins_that_can_be_made(
    file: Path, table: str, key: str, name: str, why: str
) -> None:
    plug_in = file.with_name("mine.py")
    plug_in.write_text(
        "class Broken: pass\nclass Raising:\n    def __init__(self): raise ValueError('never')\n",
        encoding="utf-8",
    )
    text = f"[{table}]\n{key} = '{name.format(file=plug_in)}'\n"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        check_config(file)
    assert str(caught.value).startswith(f"{file}: {table}.{key}: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_is_explained_with_its_default_limits_and_override() -> None:
    assert explain_config("objective.target_miss_rate") == (
        "objective.target_miss_rate: share of blocks that may miss their deadline: the setpoint\n"
        "  default 0.001\n"
        "  allowed above 0.0, below 1.0\n"
        "  override KAPELLMEISTER_OBJECTIVE__TARGET_MISS_RATE"
    )


def test_a_key_with_a_choice_names_the_choices() -> None:
    assert "allowed one of audio, visual, balanced" in explain_config("objective.priority")
    assert "static" in explain_config("loop.policy")


def test_a_table_is_explained_key_by_key() -> None:
    assert explain_config("journal") == explain_config("journal.keep_days")


@pytest.mark.parametrize("key", ["loop.tempo", "tempo", "", "loop.interval_s.x"])
def test_a_key_that_does_not_exist_cannot_be_explained(key: str) -> None:
    with pytest.raises(ConfigurationError, match="no such key"):
        explain_config(key)
