"""Does the tau retail measurement measure what it says?"""

import json
from pathlib import Path

import pytest

from eval import tau_retail, tau_world
from eval.tau_chat import pass_hat
from eval.tau_user import wishes
from members.errors import BadInput

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "tau_retail"


def test_both_layouts_of_tasks_are_read(tmp_path: Path) -> None:
    action = {"order_id": "#W1", "reason": "no longer needed"}
    first = [{"user_id": "u_1", "instruction": "Cancel.", "actions": [{"name": "cancel_pending_order", "kwargs": action}]}]
    second = [{"id": "7", "evaluation_criteria": {"actions": [{"name": "cancel_pending_order", "arguments": action}]}}]
    for rows, number in ((first, "0"), (second, "7")):
        (tmp_path / "tasks.json").write_text(json.dumps(rows))
        (task,) = tau_retail.tasks(tmp_path / "tasks.json")
        assert task.number == number and tau_retail.our_call(task.actions[0]) == ("cancel_order", {"order_id": "#W1", "reason": "changed_mind"})


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text('{"a": 1}')
    with pytest.raises(BadInput, match=r"tasks\.json"):
        tau_retail.tasks(tmp_path / "tasks.json")


def test_states_differ_by_field_but_not_by_the_order_of_items_or_a_rounding() -> None:
    ours = {"items": [{"id": "a", "price": 0.1 + 0.2}, {"id": "b", "price": 1}], "status": "pending"}
    theirs = {"items": [{"id": "b", "price": 1.0}, {"id": "a", "price": 0.3}], "status": "pending"}
    assert tau_world.differences(ours, theirs) == []
    assert tau_world.differences({**ours, "status": "cancelled"}, theirs) == [".status: 'cancelled' ≠ 'pending'"]


@pytest.mark.parametrize("seed", range(6))
def test_the_scripted_person_names_order_article_and_method_in_every_wording(seed: int) -> None:
    told = "Your name is A B and your zip code is 1. You are shy. For #W12, exchange Water Bottle {'color': 'red'} to {'color': 'blue'}; via paypal_7. "
    (wish,) = wishes(told, {"paypal_7": "my PayPal"}, seed)
    said = " ".join(wish.pieces)
    assert all(word in said for word in ("#W12", "water bottle", "red", "blue", "my PayPal")) and "{" not in said


def test_pass_k_asks_for_k_successes_out_of_the_trials() -> None:
    class Tried:
        def __init__(self, right: bool) -> None:
            self.right = right

    talks = [[Tried(True), Tried(True)], [Tried(True), Tried(False)]]
    assert pass_hat(talks, 1) == 0.75 and pass_hat(talks, 2) == 0.5  # type: ignore[arg-type]


@pytest.mark.real_data
def test_the_ground_truth_leads_to_the_reference_states(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("no ../shared/data")
    world = tau_retail.World(DATA / "db.json", tmp_path)
    with world.copy() as database:
        assert tau_world.differences(tau_world.world(database), json.loads((DATA / "db.json").read_text())) == []
    reference = json.loads((DATA / "final_states_train.json").read_text())
    wanted = tau_retail.tasks(DATA / "tasks_train.json")
    # Every kind of action, a refused one, and one that shows the reference's slip.
    some = [wanted[n] for n in (0, 3, 5, 8, 12, 26, 27, 34, 43)]
    done = tau_retail.run(world, some, reference, tmp_path, lambda n: None)
    assert [one.differs_truly for one in done] == [[]] * len(some) and any(one.differs for one in done) and any(one.refused for one in done)
    written = json.loads((tmp_path / "26.json").read_text())
    assert written["orders"]["#W3386832"]["status"] == "pending (item modified)"
