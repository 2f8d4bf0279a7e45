"""One page's net and its training: step by step, or on a thread of its own until it is paused."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import tensorgrad as tg
from examples.playground.problems import make
from examples.playground.settings import ACTIVATIONS, OPTIMIZERS, RESTARTING, Refused, Settings
from tensorgrad import nn

TICK = 0.05  # seconds between two looks of a page: 20 a second
BUSY = 0.03  # of which training may take so many
WATCHED = 3.0  # seconds after the last look until training rests
CURVE = 240  # points of the curve: when they are more, every second one goes
ENGINE = threading.Lock()  # one session computes at a time: all draw from the default generator


@dataclasses.dataclass
class Pass:
    """What one layer computed: z = x W' + b and a = activation(z), x being the a of the layer
    before after dropout. Each holds its gradient after `backward`.
    """

    x: tg.Tensor
    z: tg.Tensor
    a: tg.Tensor


class Net(nn.Module):
    """Linear layers, with an activation and dropout behind each but the last."""

    layers: Any

    def __init__(self, sizes: list[int], activation: str, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.activation, self.dropout = activation, dropout

    def passes(self, x: tg.Tensor) -> list[Pass]:
        """x (N, inputs): what each layer computes, the last one's z being the output."""
        found: list[Pass] = []
        for number, layer in enumerate(self.layers, 1):
            if found:
                x = nn.functional.dropout(found[-1].a, self.dropout, self.training)
            z = layer(x)
            last = number == len(self.layers)
            found.append(Pass(x, z, z if last else ACTIVATIONS[self.activation](z)))
        for tensor in (tensor for one in found for tensor in (one.z, one.a)):
            if tensor.requires_grad:
                tensor.retain_grad()
        return found

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return self.passes(x)[-1].z


class Session:
    """A net that learns. `phase` says what was done last: start, forward, backward or update."""

    random: tg.Tensor  # the state of its generator
    order: tg.Tensor  # of the training set in this epoch
    place: int  # in that order, where the next batch begins

    def __init__(self, settings: Settings, backend: str) -> None:
        self.settings, self.backend = settings, backend
        self.lock = threading.RLock()
        self.seen = time.monotonic()
        self.version = 0  # of the data and the net's shape
        self._inside = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.restart()

    @contextlib.contextmanager
    def engine(self) -> Iterator[None]:
        """Compute on this session's backend, with this session's random numbers. May be nested."""
        with self.lock:
            if self._inside:
                yield
                return
            with ENGINE, tg.use_backend(self.backend), tg.random.fork_rng():
                tg.set_rng_state(self.random)
                self._inside = True
                try:
                    yield
                finally:
                    self._inside = False
                    self.random = tg.get_rng_state()

    def restart(self) -> None:
        """Data and weights as the seed gives them."""
        settings = self.settings
        with self.lock:
            self.random = tg.Generator().manual_seed(settings.seed).get_state()
            self.steps = self.epoch = self.example = 0
            self.diverged = False
            self._forget()
            self.curve: list[tuple[float, float, float]] = []
            self.every = 1  # epochs between two points of the curve
            self.version += 1
            with self.engine():
                self.problem = make(settings.data, settings.noise)
                sizes = [self.problem.inputs, *settings.hidden, self.problem.outputs]
                self.net = Net(sizes, settings.activation, settings.dropout)
                self._new_optimizer()
                self._shuffle()
                self._measure()

    def change(self, wanted: object) -> None:
        """Take new settings; begin anew where they ask for other data or another net. A step that
        stands in its middle is taken back: its numbers would not be those of the new settings.
        """
        with self.lock:
            old, self.settings = self.settings, self.settings.changed(wanted)
            new = self.settings
            if any(getattr(old, name) != getattr(new, name) for name in RESTARTING):
                self.restart()
                return
            if dataclasses.replace(old, speed=new.speed) != new:
                self._forget()
            self.net.activation, self.net.dropout = new.activation, new.dropout
            if new.optimizer != old.optimizer:
                self._new_optimizer()
            self.optimizer.param_groups[0]["lr"] = new.rate

    def _new_optimizer(self) -> None:
        make_optimizer = OPTIMIZERS[self.settings.optimizer]
        self.optimizer = make_optimizer(self.net.parameters(), self.settings.rate)
        self.steps_of_optimizer = 0

    def _forget(self) -> None:
        self.phase = "start"
        self.passes: list[Pass] = []
        self.before: list[tuple[tg.Tensor, tg.Tensor]] = []  # weight and bias before the update

    # ---- one step, in three phases

    def forward(self) -> None:
        """A batch goes through the net, up to the loss."""
        self._expect("start", "update")
        with self.engine():
            if self.place >= len(self.order):
                self._shuffle()
            self.rows = self.order[self.place : self.place + self.settings.batch]
            inputs, targets = self.problem.train
            self.net.train()
            self.passes = self.net.passes(inputs[self.rows])
            self.targets = targets[self.rows]
            self.loss = self.problem.loss(self.passes[-1].z, self.targets)
            if self.settings.l2:
                squares = sum(layer.weight.square().sum() for layer in self.net.layers)
                self.loss = self.loss + self.settings.l2 / 2 * squares
            self.phase = "forward"

    def backward(self) -> None:
        """The gradient of the loss goes back to every weight."""
        self._expect("forward")
        with self.engine():
            self.optimizer.zero_grad()
            self.loss.backward()
            self.phase = "backward"

    def update(self) -> None:
        """The optimizer moves every weight."""
        self._expect("backward")
        with self.engine():
            self.before = [
                (layer.weight.detach().clone(), layer.bias.detach().clone())
                for layer in self.net.layers
            ]
            self.optimizer.step()
            self.steps += 1
            self.steps_of_optimizer += 1
            self.place += len(self.rows)
            self.phase = "update"
            if self.place >= len(self.order):
                self.epoch += 1
                if self.epoch % self.every == 0:
                    self._measure()
            self.diverged = not math.isfinite(self.loss.item())

    def advance(self) -> None:
        """The next phase."""
        following = {"forward": self.backward, "backward": self.update}
        following.get(self.phase, self.forward)()

    def step(self) -> None:
        """Go on to the end of a step."""
        with self.engine():
            self.advance()
            while self.phase != "update":
                self.advance()

    def look(self, example: int) -> None:
        """Show this example of the batch."""
        with self.lock:
            self.example = example % self.settings.batch

    def _expect(self, *phases: str) -> None:
        if self.phase not in phases:
            raise Refused(409, f"a step that stands behind {' or '.join(phases)}", self.phase)

    def _shuffle(self) -> None:
        self.order, self.place = tg.randperm(len(self.problem.train[1])), 0

    # ---- how good it is

    def quality(self) -> dict[str, Any]:
        """Of the training and the test set the mean loss, without the penalty of L2, and the share
        that is right.
        """
        found: dict[str, Any] = {}
        with self.engine(), tg.no_grad():
            self.net.eval()
            for name in ("train", "test"):
                inputs, targets = getattr(self.problem, name)
                output = self.net(inputs)
                found[name] = self.problem.loss(output, targets).item()
                found[f"{name}_right"] = self.problem.right(output, targets)
        return found

    def _measure(self) -> None:
        found = self.quality()
        self.curve.append((self.epoch, found["train"], found["test"]))
        if len(self.curve) > CURVE:
            self.curve, self.every = self.curve[::2], self.every * 2

    # ---- on and on

    @property
    def playing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def play(self) -> None:
        """Train on a thread, at the pace of the settings, until `pause`."""
        with self.lock:
            if not self.playing:
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), daemon=True)
                self._thread.start()

    def pause(self) -> None:
        """Stop the thread and wait for its end: the step is whole, or at slow pace the phase."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def reset(self) -> None:
        """Pause, and begin anew."""
        self.pause()
        self.restart()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set() and not self.diverged:
            watched = time.monotonic() - self.seen < WATCHED
            stop.wait(self._train(stop) if watched else TICK)

    def _train(self, stop: threading.Event) -> float:
        """Some steps; the seconds to wait until the next ones."""
        start = time.monotonic()
        if self.settings.speed == 1:
            self.advance()
            return 1 / 3
        with self.engine():
            for _ in range(max(1, round(self.settings.speed * TICK))):
                self.step()
                if self.diverged or stop.is_set() or time.monotonic() > start + BUSY:
                    break
        return max(TICK - (time.monotonic() - start), TICK - BUSY)
