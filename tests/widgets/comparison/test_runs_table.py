"""Does the table of runs sort, filter, group and tick, and open other panels of what is ticked?"""

from __future__ import annotations

import asyncio
import html
import re
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import ipywidgets
import pandas as pd
import pytest

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.training.loop import train
from lgq_explore.widgets import GeometryExplorer, HealthPanel, RunsTable, TrainingMonitor, UsageExplorer
from lgq_explore.widgets.comparison import runs_table
from lgq_explore.widgets.comparison.rows import table_for_papers
from lgq_explore.widgets.comparison.table_view import TableView
from tests.analysis.runs_folder import SOFT, plant_phases, plant_runs, stopping


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        return plant_runs(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def folder(planted: Path, tmp_path: Path) -> Path:
    """Four runs that can be opened, and one that can't."""
    runs = shutil.copytree(planted, tmp_path / "runs")
    (runs / "torn").mkdir()
    (runs / "torn" / "config.json").write_text("{")
    return runs


def place_of_panels(table: RunsTable) -> ipywidgets.VBox:
    (found,) = [part for part in table.children if type(part) is ipywidgets.VBox]
    return found


def view(table: RunsTable) -> TableView:
    (found,) = [part for part in table.children if isinstance(part, TableView)]
    return found


def shown(table: RunsTable) -> list[list[str]]:
    """The runs of each section, from top to bottom."""
    return [[row["run"] for row in section["rows"]] for section in view(table).sections]


def listed(table: RunsTable) -> list[str]:
    return [run for section in shown(table) for run in section]


def said_by(table: RunsTable) -> str:
    parts = [part.value for part in table.children if isinstance(part, ipywidgets.HTML)]
    return html.unescape(re.sub(r"<[^>]*>", "", "\n".join([*parts, table.foot.line])))


def button(table: RunsTable, label: str) -> ipywidgets.Button:
    rows = [part for part in table.children if isinstance(part, ipywidgets.HBox)]
    (found,) = [
        part
        for row in rows
        for part in row.children
        if isinstance(part, ipywidgets.Button) and part.description == label
    ]
    return found


def send(table: RunsTable, **message: object) -> None:
    """What the page sends."""
    view(table)._handle_custom_msg(message, [])


def test_runs_stand_below_the_mean_of_their_recipe(folder: Path) -> None:
    table = RunsTable(folder)
    assert shown(table) == [["grid-0"], ["soft-0", "soft-1", "soft-2"], ["torn"]]
    heads = [section["head"] for section in view(table).sections]
    assert (heads[1]["run"], heads[1]["method"], heads[1]["psnr_db"]) == (
        "mean of 3 runs",
        "lgq",
        "21.00 ± 1.41 (n = 2)",
    )
    assert heads[0]["psnr_db"] == "25.00"
    assert heads[2]["run"] == "can't be opened"
    row = view(table).sections[1]["rows"][1]
    assert (row["cells"]["psnr_db"], row["cells"]["step"], row["opens"]) == ("22.00", "4 of 4", True)
    torn = view(table).sections[2]["rows"][0]
    assert not torn["opens"]
    assert torn["why"].startswith("config.json can't be used")
    table.grouped = False
    assert shown(table) == [["grid-0", "soft-0", "soft-1", "soft-2", "torn"]]


def test_what_all_runs_share_is_said_once_and_what_none_has_is_left_out(folder: Path) -> None:
    table = RunsTable(folder)
    columns = [column["name"] for column in view(table).columns]
    assert {"method", "psnr_db", "loss"} <= set(columns)
    assert not {"gan_steps", "codebook_size", "data", "image_size", "lpips"} & set(columns)
    assert "All: K 16, data fake, px 32, step 4 of 4." in said_by(table)
    assert "N = 1,024 tokens" in said_by(table)


def test_runs_at_different_gan_phases_are_told_as_long_as_both_are_shown(tmp_path: Path) -> None:
    table = RunsTable(plant_phases(tmp_path / "phases"))
    told = "after: 2 steps since it started; before: before it starts; plain: no GAN."
    assert f"These runs are at different GAN phases. {told}" in said_by(table)
    assert told in html.unescape(re.sub(r"<[^>]*>", "", table.still()["text/html"]))
    cells = {row["run"]: row["cells"]["gan_steps"] for section in view(table).sections for row in section["rows"]}
    assert cells == {"after": "2", "before": "0", "plain": ""}
    assert table_for_papers(table.frame())["GAN_steps"].tolist() == ["2", "none"]
    table.words = "gan_steps>0"
    assert listed(table) == ["after"]
    assert "GAN phases" not in said_by(table)


def test_a_number_that_was_not_measured_has_a_command(folder: Path) -> None:
    path = folder / "soft-2"
    assert f"1 run has no numbers on held-out pictures: lgq-explore evaluate {path} measures" in said_by(
        RunsTable(folder)
    )
    assert "lgq-explore evaluate" not in said_by(RunsTable(folder, words="soft-0"))
    (folder / "soft-0" / "metrics.json").unlink()
    said = f"2 runs have no numbers on held-out pictures: measure each, the first by lgq-explore evaluate {folder}"
    assert said in said_by(RunsTable(folder))


def test_a_click_on_a_head_sorts_and_another_turns_around(folder: Path) -> None:
    table = RunsTable(folder, grouped=False)
    send(table, sort="psnr_db")
    assert shown(table) == [["soft-0", "soft-1", "grid-0", "soft-2", "torn"]]
    send(table, sort="psnr_db")
    assert (table.sort, table.descending) == ("psnr_db", True)
    assert shown(table) == [["grid-0", "soft-1", "soft-0", "soft-2", "torn"]]
    table.grouped = True
    assert shown(table) == [["grid-0"], ["soft-1", "soft-0", "soft-2"], ["torn"]]
    send(table, sort="psnr")
    assert table.sort == "psnr_db"
    with pytest.raises(InputError, match="sort is 'psnr': choose one of run, method"):
        table.sort = "psnr"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["grid-0", "soft-0", "soft-1", "soft-2", "torn"]),
        ("SOFT", ["soft-0", "soft-1", "soft-2"]),
        ("method=LGQ seed=0", ["soft-0"]),
        ("k=16 psnr>20.5", ["grid-0", "soft-1"]),
        ("psnr_db!=20", ["grid-0", "soft-1"]),
        ("step<4", []),
        ("'not evaluated'", ["soft-2"]),
        ("begun>=2020 begun<2020-01", []),
        ("opens=0", ["torn"]),
        ("data=fake seed>=1", ["soft-1", "soft-2"]),
    ],
)
def test_words_and_conditions_filter(folder: Path, words: str, names: list[str]) -> None:
    table = RunsTable(folder, words=words)
    assert sorted(listed(table)) == table.frame()["run"].tolist() == names


def test_a_filter_that_is_not_understood_is_said_and_changes_nothing(folder: Path) -> None:
    table = RunsTable(folder, words="method=fsq")
    (box,) = [part for part in table.children[0].children if isinstance(part, ipywidgets.Text)]
    for text, said in {
        "metod=fsq": "no column 'metod' (did you mean method?)",
        "seed=first": "give a number, such as seed=1",
        "'": "close its quotation mark",
    }.items():
        box.value = text
        assert said in said_by(table)
        assert box.value == text  # to be mended
        assert (table.words, shown(table)) == ("method=fsq", [["grid-0"]])
    box.value = "foo>3"
    heads = "run, method, K, data, px, seed, step, GAN_steps, remark, PSNR"
    assert f"there is no column 'foo': choose one of {heads}" in said_by(table)
    box.value = "method=fsq"  # the one before
    assert "no column" not in said_by(table)
    box.value = "method=lgq"
    assert shown(table) == [["soft-0", "soft-1", "soft-2"]]
    assert "did you mean" not in said_by(table)


def test_where_no_run_is_shown_the_heads_stay_and_the_reason_is_said(folder: Path) -> None:
    table = RunsTable(folder)
    for words, why in {
        "lpips<1": "no run has a value for LPIPS: evaluate them",
        "psnr>99 method=lgq": "no run matches psnr>99 method=lgq",
        "elsewhere": "no run matches elsewhere",
    }.items():
        table.words = words
        assert view(table).why_empty == why
        assert [column["label"] for column in view(table).columns][:2] == ["run", "method"]
        assert html.escape(why) in table.still()["text/html"]
    table.words = ""
    assert view(table).why_empty == ""


def test_what_a_reader_may_take_amiss_is_said_below_the_table(folder: Path) -> None:
    table = RunsTable(folder)
    assert "n: the finished runs that a mean is over, where others lack the number." in said_by(table)
    assert "Losses of different methods are sums of different terms" in said_by(table)
    titles = {column["name"]: column["title"] for column in view(table).columns}
    assert "a sum of other terms with each method" in titles["loss"]
    assert [*titles].index("remark") < [*titles].index("psnr_db")
    table.words = "grid"
    assert "n: the finished" not in said_by(table)
    assert "Losses" not in said_by(table)


def test_names_of_ticked_runs_can_be_copied(folder: Path) -> None:
    table = RunsTable(folder, selection=["soft-1", "grid-0"])
    assert table.foot.copied["copy names"] == "soft-1\ngrid-0"


def test_ticked_runs_are_given_to_python(folder: Path) -> None:
    table = RunsTable(folder)
    send(table, tick=["soft-1"], on=True)
    send(table, tick=["soft-0", "soft-1"], on=True)
    assert table.selection == view(table).ticked == ["soft-1", "soft-0"]
    assert [run.name for run in table.runs()] == ["soft-1", "soft-0"]
    assert [len(study.encoding) for study in table.studies(crops=4)] == [4, 4]
    table.words = "grid"
    assert "1 of 5 runs shown, 2 ticked, 2 of them not shown" in said_by(table)
    send(table, tick=["soft-1"], on=False)
    assert table.selection == ["soft-0"]
    send(table, tick=["torn"], on=True)
    assert table.selection == ["soft-0"]
    assert "selection names 'torn', which is no run here that can be opened" in said_by(table)
    for selection in ("soft-0", 3):
        with pytest.raises(InputError, match="give a list of names of runs"):
            table.selection = selection


def test_panels_are_opened_below_the_table(folder: Path) -> None:
    table = RunsTable(folder)
    with pytest.raises(InputError, match="UsageExplorer can't be opened: tick a run first"):
        table.open_in()
    table.selection = ["soft-0", "grid-0"]
    assert [name for name in ("usage", "geometry", "codes", "health") if button(table, name).disabled] == ["codes"]
    assert button(table, "codes").tooltip == "it takes one run, and 2 are ticked"
    usage = table.open_in()
    assert isinstance(usage, UsageExplorer)
    assert usage.names == ["lgq", "fsq"]
    assert usage in place_of_panels(table).children
    assert isinstance(table.open_in("GeometryExplorer"), GeometryExplorer)
    assert usage not in place_of_panels(table).children
    button(table, "close").click()
    assert place_of_panels(table).children == ()
    with pytest.raises(InputError, match="panel is 'Usage': choose one of UsageExplorer"):
        table.open_in("Usage")


def test_a_click_opens_a_panel_and_a_refusal_is_said_in_a_line(folder: Path) -> None:
    async def clicks() -> None:
        table = RunsTable(folder, selection=["soft-0"])
        button(table, "usage").click()
        await asyncio.sleep(0)
        assert "opening usage: 1 run" in said_by(table)
        await table.ready()
        assert isinstance(place_of_panels(table).children[-1], UsageExplorer)
        assert "opening" not in said_by(table)
        table.selection = ["grid-0"]
        button(table, "temperature").click()
        await asyncio.sleep(0)
        await table.ready()
        assert "temperature" in said_by(table)
        assert isinstance(place_of_panels(table).children[-1], UsageExplorer)
        button(table, "health").click()
        await asyncio.sleep(0)
        assert isinstance(place_of_panels(table).children[-1], HealthPanel)

    asyncio.run(clicks())


def test_without_ticks_python_gets_the_runs_that_are_shown(folder: Path) -> None:
    table = RunsTable(folder, sort="psnr_db", grouped=False)
    assert [run.name for run in table.runs()] == ["soft-0", "soft-1", "grid-0", "soft-2"]
    table.words = "method=lgq"
    assert UsageExplorer(*table.runs()).names == ["lgq, seed 0", "lgq, seed 1", "lgq, seed 2"]
    table.selection = ["grid-0"]
    assert [run.name for run in table.runs()] == ["grid-0"]


def test_an_open_panel_follows_what_is_ticked(folder: Path) -> None:
    async def ticks() -> None:
        table = RunsTable(folder, selection=["soft-0"])
        assert not view(table).is_compact
        opened = table.open_in("UsageExplorer")
        assert view(table).is_compact
        opened.view = "lorenz"
        send(table, tick=["soft-1", "grid-0"], on=True)
        assert "opening usage: 3 runs" in said_by(table)
        await table.ready()
        followed = place_of_panels(table).children[-1]
        assert isinstance(followed, UsageExplorer)
        assert (followed.names, followed.view) == (["lgq, seed 0", "lgq, seed 1", "fsq, seed 0"], "lorenz")
        send(table, tick=["soft-0", "soft-1", "grid-0"], on=False)
        assert "usage stays as it is: tick a run first" in said_by(table)
        assert place_of_panels(table).children[-1] is followed
        table.close_panel()
        send(table, tick=["soft-1"], on=True)
        await table.ready()
        assert place_of_panels(table).children == ()

    asyncio.run(ticks())


def test_a_panel_that_trains_does_not_follow(folder: Path) -> None:
    table = RunsTable(folder, selection=["soft-0"])
    opened = table.open_in("TrainingMonitor")
    table.selection = ["soft-1"]
    assert place_of_panels(table).children[-1] is opened


def test_the_table_follows_the_run_that_is_trained_in_the_panel_below(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_table, "LOOK_SECONDS", 0.01)
    controls, stop = stopping(2)
    train(replace(SOFT, seed=3), folder / "half", controls=controls, on_log=stop, progress=False)

    async def resume() -> None:
        table = RunsTable(folder, words="half", selection=["half"])
        assert view(table).sections[0]["head"]["run"] == "1 run, not finished"
        monitor = table.open_in("TrainingMonitor")
        assert isinstance(monitor, TrainingMonitor)
        await monitor.train()
        async with asyncio.timeout(60):
            while view(table).sections[0]["rows"][0]["cells"]["step"] != "4 of 4":
                await asyncio.sleep(0.01)
        assert view(table).sections[0]["head"]["run"] == "mean of 1 run"
        assert table.selection == ["half"]
        assert place_of_panels(table).children[-1] is monitor

    asyncio.run(resume())


def test_a_run_that_was_deleted_meanwhile_is_said_in_a_line(folder: Path) -> None:
    table = RunsTable(folder, selection=["soft-0", "soft-1"])
    shutil.rmtree(folder / "soft-0")
    button(table, "usage").click()
    assert "soft-0 is not a run folder" in said_by(table)
    button(table, "look again").click()
    assert table.selection == ["soft-1"]
    assert "soft-0" not in listed(table)


def test_its_data_are_the_analysis_s_and_its_code_makes_it_again(folder: Path) -> None:
    table = RunsTable(folder, words="method=lgq", sort="psnr_db", descending=True, selection=["soft-1"])
    runs = analysis.comparison.runs_in(folder)
    expected = runs[runs["method"] == "lgq"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table.frame(), expected)
    pd.testing.assert_frame_equal(table.summary(), analysis.comparison.over_seeds(expected))
    again = eval(table.code(), {"lgq": lgq})
    assert (again.state(), again.code(), shown(again)) == (table.state(), table.code(), shown(table))
    assert RunsTable(folder).code() == f"lgq.widgets.RunsTable({str(folder)!r})"


def saved(table: RunsTable, kind: str) -> str:
    return table._prepare_file(kind)().data.decode()


def test_the_table_for_papers_has_a_row_per_recipe_as_it_is_on_the_screen(folder: Path) -> None:
    table = RunsTable(folder)
    lines = saved(table, "numbers, LaTeX").splitlines()
    losses = [section["head"]["loss"].replace("±", r"$\pm$") for section in view(table).sections[:2]]
    assert lines[1] == r"\begin{tabular}{lrrrrrr}"
    assert lines[3] == r"method & K & seeds & PSNR & FD & active & loss \\"
    assert lines[5:7] == [
        rf"fsq & 16 & 1 & 25.00 & 3.5 & 8 & {losses[0]} \\",
        rf"lgq & 16 & 3 & 21.00 $\pm$ 1.41 (n = 2) & 3.5 $\pm$ 0.0 (n = 2) & 8 $\pm$ 0 (n = 2) & {losses[1]} \\",
    ]
    table.words = "torn"
    with pytest.raises(InputError, match="no finished run is shown"):
        saved(table, "numbers, LaTeX")


def test_the_table_for_papers_tells_recipes_apart_that_share_method_and_size(folder: Path) -> None:
    train(replace(SOFT, learning_rate=1e-5), folder / "slow", progress=False)
    train(replace(SOFT, steps=2), folder / "short", progress=False)
    heads, rows = saved(RunsTable(folder, words="method=lgq"), "numbers, LaTeX").splitlines()[3::2][:2]
    assert heads.startswith("method & K & steps & recipe & seeds & PSNR")
    assert rows.startswith("lgq & 16 & ")


def test_whole_numbers_are_saved_whole_for_programs(folder: Path) -> None:
    table = RunsTable(folder)
    data = pd.read_csv(StringIO(saved(table, "data, CSV")), dtype=str)
    assert data["codebook_size"].dropna().unique().tolist() == ["16"]
    assert data["loss"].astype(float).tolist()[:2] == table.frame()["loss"].tolist()[:2]
    numbers = pd.read_csv(StringIO(saved(table, "numbers, CSV")), dtype=str)
    assert numbers.columns.tolist() == table.summary().columns.tolist()
    assert numbers["codebook_size"].unique().tolist() == ["16"]


def test_the_default_is_the_folder_of_runs(folder: Path, tmp_path: Path) -> None:
    empty = RunsTable()
    assert f"no runs in {tmp_path / 'data' / 'runs'}: lgq-explore train --quantizer lgq makes one there" in said_by(
        empty
    )
    assert empty.code() == "lgq.widgets.RunsTable()"
    shutil.copytree(folder, tmp_path / "data" / "runs")
    button(empty, "look again").click()
    assert len(empty.frame()) == 5
    assert "no runs" not in said_by(empty)


def test_an_empty_folder_says_what_to_do_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    said = said_by(RunsTable(empty))
    assert f"no runs in {empty}: lgq-explore train --quantizer lgq --run {empty / 'lgq'} makes one there" in said
    with pytest.raises(InputError, match="is not a folder"):
        RunsTable(tmp_path / "nowhere")


def test_a_saved_notebook_has_the_table_as_html(folder: Path) -> None:
    table = RunsTable(folder, selection=["soft-1"])
    bundle = table.still()
    assert bundle["text/plain"] == "RunsTable(5 runs)"
    text = bundle["text/html"]
    assert text == RunsTable(folder, selection=["soft-1"]).still()["text/html"]
    for said in ("✓ soft-1", "21.00 ± 1.41 (n = 2)", "config.json can&#x27;t be used"):
        assert said in text
    assert "data:image/png" not in text
    assert "1 run has no numbers on held-out pictures: <code>lgq-explore evaluate RUN</code>" in text
    assert str(folder) not in text
    table.open_in("HealthPanel")
    assert '<img alt="HealthPanel(lgq)" src="data:image/png;base64,' in table.still()["text/html"]


def test_names_are_shown_as_text(folder: Path) -> None:
    shutil.copytree(folder / "soft-0", folder / "<b>soft`0")
    table = RunsTable(folder, selection=["<b>soft`0"])
    assert "&lt;b&gt;soft`0" in table.still()["text/html"]
    table.open_in("HealthPanel")
    assert "&lt;b&gt;soft`0" in place_of_panels(table).children[0].value
