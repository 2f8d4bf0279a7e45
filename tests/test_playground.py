"""The page that shows a net learning: its sessions train as anyone would by hand."""

import base64
import json
import threading
import time

import pytest

import tensorgrad as tg
from examples.playground import session as sessions
from examples.playground.frame import SIDE, frame_of
from examples.playground.problems import PROBLEMS, make
from examples.playground.session import Session
from examples.playground.settings import Refused, Settings
from tensorgrad import nn


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def by_hand(name, steps):
    """The parameters of circles' net after so many steps of a loop that anyone would write."""
    tg.manual_seed(3)
    problem = make("circles", 0.1)
    model = nn.Sequential(
        nn.Linear(2, 5), nn.Tanh(), nn.Dropout(0.2),
        nn.Linear(5, 4), nn.Tanh(), nn.Dropout(0.2), nn.Linear(4, 1),
    )  # fmt: skip
    rules = {
        "sgd": lambda parameters: tg.optim.SGD(parameters, 0.03),
        "momentum": lambda parameters: tg.optim.SGD(parameters, 0.03, momentum=0.9),
        "rmsprop": lambda parameters: tg.optim.RMSprop(parameters, 0.03),
        "adam": lambda parameters: tg.optim.Adam(parameters, 0.03),
    }
    optimizer = rules[name](model.parameters())
    inputs, targets = problem.train
    batches = []
    for _ in range(steps):
        batches = batches or list(tg.randperm(250).split(100))
        rows = batches.pop(0)
        output = model(inputs[rows])[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(output, targets[rows])
        loss = loss + 0.005 * sum(model[at].weight.square().sum() for at in (0, 3, 6))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return list(model.parameters())


CIRCLES = {
    "data": "circles", "noise": 0.1, "hidden": (5, 4), "batch": 100, "rate": 0.03, "l2": 0.01,
    "dropout": 0.2, "seed": 3,
}  # fmt: skip


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_phases_are_the_steps_of_a_training_loop(backend, optimizer):
    session = Session(Settings(optimizer=optimizer, **CIRCLES), backend)
    for _ in range(5):  # three batches make an epoch
        session.forward()
        frame_of(session, None)  # whoever looks changes nothing
        session.backward()
        session.update()
        frame_of(session, None)
    assert (session.steps, session.epoch) == (5, 1)
    expected = by_hand(optimizer, 5)
    for mine, by_hands in zip(session.net.parameters(), expected, strict=True):
        tg.testing.assert_close(mine, by_hands, atol=0, rtol=0)


def test_sessions_do_not_disturb_each_other(backend):
    """Nor the default generator."""
    state = tg.get_rng_state()
    pair = [Session(Settings(**CIRCLES), backend) for _ in range(2)]
    other = Session(Settings(data="xor", dropout=0.5), backend)
    for _ in range(4):
        pair[0].step()
        other.step()
    for _ in range(4):
        pair[1].step()
    for one, same in zip(pair[0].net.parameters(), pair[1].net.parameters(), strict=True):
        assert (one == same).all()
    assert (tg.get_rng_state() == state).all()


@pytest.mark.parametrize(
    ("data", "hidden", "right"),
    [("circles", (6,), 0.95), ("xor", (6,), 0.95), ("clouds", (), 0.95), ("digits", (8,), 0.8)],
)
def test_nets_learn_to_tell_apart(backend, data, hidden, right):
    session = Session(Settings(data=data, hidden=hidden, rate=0.03), backend)
    assert session.quality()["test_right"] < 0.8
    with session.engine():
        for _ in range(300):
            session.step()
    assert session.quality()["test_right"] > right


def test_a_surface_is_learnt(backend):
    session = Session(Settings(data="bumps", hidden=(8, 8), rate=0.03), backend)
    before = session.quality()
    with session.engine():
        for _ in range(250):
            session.step()
    after = session.quality()
    assert after["test"] < before["test"] / 3
    assert after["test_right"] is None


@pytest.mark.parametrize("data", PROBLEMS)
def test_a_frame_has_the_engines_numbers(data):
    session = Session(Settings(data=data, hidden=(3, 2), l2=0.1, dropout=0.3, batch=7), "numpy")
    frame = frame_of(session, None)
    assert frame["moment"] is None
    assert frame["layers"][0]["gradient"] is None
    session.forward()
    session.look(4)
    assert frame_of(session, None)["layers"][0]["gradient"] is None
    session.backward()
    frame = json.loads(json.dumps(frame_of(session, session.version), allow_nan=False))
    assert "data" not in frame
    for one, layer, shown, moment in zip(
        session.passes, session.net.layers, frame["layers"], frame["moment"]["passes"], strict=True
    ):
        # As the page explains it: a weight's gradient is what its ends have, and the penalty's.
        told = one.z.grad.T @ one.x + 0.1 * layer.weight
        tg.testing.assert_close(layer.weight.grad, told, atol=1e-6, rtol=1e-5)
        digits = {"atol": 1e-12, "rtol": 1e-3}
        for name, value in [("x", one.x), ("z", one.z), ("a_gradient", one.a.grad)]:
            tg.testing.assert_close(tg.tensor(moment[name]), value[4].detach(), **digits)
        tg.testing.assert_close(tg.tensor(shown["gradient"]), layer.weight.grad, **digits)
        tg.testing.assert_close(tg.tensor(shown["bias_gradient"]), one.z.grad.sum(0), **digits)
    assert len(frame["maps"][0]) == 3
    assert ("surface" in frame) == (data != "digits")


def test_an_update_tells_what_was_before_and_what_the_optimizer_keeps():
    session = Session(Settings(data="xor", hidden=(2,), optimizer="momentum", rate=0.5), "numpy")
    for _ in range(2):
        session.step()
    frame = frame_of(session, None)
    for layer in frame["layers"]:
        moved = tg.tensor(layer["before"]) - 0.5 * tg.tensor(layer["state"]["momentum_buffer"])
        tg.testing.assert_close(moved, tg.tensor(layer["weight"]), atol=2e-3, rtol=2e-3)
    assert frame["phase"] == "update"
    assert frame["moment"]["steps_of_optimizer"] == 2


def test_a_surface_lies_as_the_plane_does():
    """Its first row is the upper one: blue where both coordinates are large."""
    session = Session(Settings(data="clouds", hidden=(), rate=0.3), "numpy")
    with session.engine():
        for _ in range(60):
            session.step()
    surface = base64.b64decode(frame_of(session, None)["surface"])
    signed = tg.tensor([byte - 256 * (byte > 127) for byte in surface]).reshape(SIDE, SIDE)
    assert signed[0, -1] == 127
    assert signed[-1, 0] == -127


def test_steps_come_in_order():
    session = Session(Settings(), "numpy")
    with pytest.raises(Refused, match="expected a step that stands behind forward, got start"):
        session.backward()
    session.forward()
    for wrong in (session.forward, session.update):
        with pytest.raises(Refused, match="got forward"):
            wrong()


def test_changes_act_at_once_or_begin_anew():
    session = Session(Settings(data="xor", hidden=(3,)), "numpy")
    session.step()
    session.forward()
    weight = session.net.layers[0].weight
    session.change({"rate": 0.5, "activation": "relu", "dropout": 0.1, "l2": 0.01})
    assert session.net.layers[0].weight is weight
    assert session.optimizer.param_groups[0]["lr"] == 0.5
    assert (session.net.dropout, session.net.activation) == (0.1, "relu")
    assert session.phase == "start"  # half a step of the old settings is taken back
    session.change({"optimizer": "rmsprop"})
    assert isinstance(session.optimizer, tg.optim.RMSprop)
    assert (session.steps, session.version) == (1, 1)
    session.change({"hidden": [3, 3]})
    assert (session.steps, session.version) == (0, 2)
    assert len(session.net.layers) == 3


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"rate": -1}, "expected rate to be a number from 1e-06 to 10, got -1"),
        ({"rate": True}, "expected rate to be a number"),
        ({"rate": "1"}, "got '1'"),
        ({"noise": float("nan")}, "expected noise to be a number from 0 to 0.5, got nan"),
        ({"batch": 1.5}, "expected batch to be a whole number from 1 to 100, got 1.5"),
        ({"hidden": [4, 9]}, "expected the neurons in hidden to be a whole number from 1 to 8"),
        ({"hidden": [1] * 6}, "expected hidden to be a list of at most 5"),
        ({"hidden": 4}, "got 4"),
        ({"data": "moons"}, "expected data to be one of spirals, circles"),
        ({"data": ["xor"]}, "got \\['xor'\\]"),
        ({"colour": 1}, "expected settings among data, noise, .*, got 'colour'"),
        ([], "expected settings to be an object, got list"),
    ],
)
def test_settings_are_checked(wanted, sentence):
    session = Session(Settings(), "numpy")
    with pytest.raises(Refused, match=f"^playground: .*{sentence}") as refused:
        session.change(wanted)
    assert refused.value.status == 400
    assert session.settings == Settings()


def test_it_plays_until_it_is_paused(backend):
    session = Session(Settings(data="xor", speed=5000), backend)
    session.play()
    session.play()  # a second time changes nothing
    until(lambda: session.steps > 20)
    assert frame_of(session, None)["playing"]
    session.pause()
    steps = session.steps
    assert session.phase == "update"
    assert not session.playing
    time.sleep(0.1)
    assert session.steps == steps
    session.play()
    until(lambda: session.steps > steps)
    session.reset()
    assert (session.steps, session.playing) == (0, False)


def test_at_the_slowest_pace_phases_go_one_by_one():
    session = Session(Settings(data="xor", speed=1), "numpy")
    session.play()
    until(lambda: session.phase == "forward")
    session.pause()
    assert session.steps == 0
    session.backward()


def test_training_rests_while_nobody_looks(monkeypatch):
    session = Session(Settings(data="xor", speed=20), "numpy")
    session.play()
    until(lambda: session.steps)
    session.seen -= sessions.WATCHED
    time.sleep(0.1)
    steps = session.steps
    time.sleep(0.2)
    assert session.steps == steps
    session.seen = time.monotonic()
    until(lambda: session.steps > steps)
    session.pause()


def test_a_loss_that_is_no_number_stops_the_training():
    session = Session(
        Settings(data="bumps", activation="linear", rate=10, optimizer="sgd"), "numpy"
    )
    session.play()
    until(lambda: not session.playing)
    frame = frame_of(session, None)
    assert frame["diverged"]
    assert frame["quality"]["train"] is None
    json.dumps(frame, allow_nan=False)
    session.reset()
    assert not session.diverged


def test_a_long_curve_keeps_its_ends(monkeypatch):
    monkeypatch.setattr(sessions, "CURVE", 8)
    session = Session(Settings(data="clouds", hidden=(), batch=100), "numpy")
    for _ in range(3 * 21):
        session.step()
    epochs = [epoch for epoch, _, _ in session.curve]
    assert epochs == [0, 4, 8, 12, 16, 20]


def test_epochs_are_counted_in_parts():
    session = Session(Settings(data="clouds", batch=100), "numpy")
    counted = []
    for _ in range(4):
        session.step()
        frame = frame_of(session, 1)
        counted.append(frame["epoch"] + frame["part"])
    assert counted == [0.4, 0.8, 1, 1.4]


def test_many_may_ask_while_it_trains():
    session = Session(Settings(speed=5000), "numpy")
    session.play()
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(frame_of(session, 0))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.pause()
    assert [frame["phase"] in ("start", "update") for frame in found] == [True] * 6
