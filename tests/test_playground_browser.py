"""The page that shows a net learning, in a browser: what is clicked, typed and seen."""

import importlib
import os
import re
import shutil
import threading
import time

import pytest

from examples.playground.server import Server

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if os.environ.get("CI") == "true":  # whatever is missing fails there
    webdriver = importlib.import_module("selenium.webdriver")
else:
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium and chromedriver in PATH", allow_module_level=True)

WAIT = 120  # seconds, on a busy machine


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "no-proxy-server"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        found = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
        yield found
        found.quit()


class Page:
    """One tab with the page in it."""

    def __init__(self, driver, address):
        self.driver = driver
        driver.get(address)
        self.tab = driver.current_window_handle
        self.until(lambda: not self.js("return document.querySelector('[inert]')"))

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def find(self, name):
        return self.driver.find_element("id", name)

    def text(self, name):
        return self.js("return document.getElementById(arguments[0]).textContent", name)

    def click(self, name):
        self.js("document.getElementById(arguments[0]).scrollIntoView({block: 'center'})", name)
        self.find(name).click()

    def until(self, condition):
        end = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < end, f"waited in vain; the page says: {self.text('status')}"
            time.sleep(0.05)

    def choose(self, name, value):
        """As a person does who sets a select, a slider or a radio button."""
        self.js(
            "const it = document.querySelector(arguments[0]); it.focus();"
            "if (it.type === 'radio') { it.click(); return; } it.value = arguments[1];"
            "it.dispatchEvent(new Event('input', {bubbles: true}));"
            "it.dispatchEvent(new Event('change', {bubbles: true}));",
            name,
            value,
        )

    def sizes(self):
        """Neurons that are drawn, by column; the last one is the loss."""
        names = self.js("return [...document.querySelectorAll('.node')].map(node => node.id)")
        columns = [int(name.split("-")[1]) for name in names]
        return [columns.count(column) for column in range(max(columns) + 1)]


@pytest.fixture
def page(driver):
    """The page of a server of this test alone; nothing may go wrong in its scripts."""
    with Server(0, "numpy") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.get_log("browser")
        found = Page(driver, server.address)
        found.server = server
        yield found
        wrong = [entry["message"] for entry in driver.get_log("browser")]
        driver.get("about:blank")
        server.shutdown()
        thread.join()
    assert wrong == []


def test_it_trains_and_pauses(page):
    page.choose("[value=clouds]", None)
    page.choose("#speed", "5000")
    page.click("play")
    page.until(lambda: int(page.text("steps")) > 100)
    assert page.text("play") == "Pause"
    page.click("play")
    page.until(lambda: page.text("play") == "Play")
    steps = page.text("steps")
    assert f"Paused after step {steps}" in page.text("status")
    assert float(page.text("right").removesuffix(" %")) > 95
    time.sleep(0.3)
    assert page.text("steps") == steps
    page.click("reset")
    page.until(lambda: page.text("steps") == "0")


def test_a_step_goes_phase_by_phase(page):
    assert page.find("backward").get_attribute("aria-disabled") == "true"
    page.click("backward")  # nothing: it is not its turn
    page.click("forward")
    page.until(lambda: "Step 1, forward" in page.text("status"))
    page.click("node-2-3")
    assert "Hidden 2, neuron 4" in page.text("formula")
    assert "∂L/∂z" not in page.text("formula")
    page.click("backward")
    page.until(lambda: "Step 1, backward" in page.text("status"))
    assert "∂L/∂z" in page.text("formula")
    (session,) = page.server.sessions._sessions.values()
    gradient = session.passes[1].z.grad[0, 3].item()
    shown = page.find("node-2-3").get_attribute("aria-label")
    assert shown.startswith("Hidden 2, neuron 4, gradient ")
    assert ("\N{MINUS SIGN}" in shown) == (gradient < 0)
    page.click("update")
    page.until(lambda: page.text("steps") == "1")
    page.js("document.querySelector('#formula [data-edge=\"1 3 2\"]').click()")
    weight = session.net.layers[1].weight[3, 2].item()
    assert "Weight from hidden 1, neuron 3 to hidden 2, neuron 4" in page.text("formula")
    assert f"{weight:.3f}".replace("-", "\N{MINUS SIGN}") in page.text("formula")
    page.click("example-more")
    page.until(lambda: page.text("example") == "example 2 of 20")


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_an_update_is_explained(page, optimizer):
    page.choose("#optimizer", optimizer)
    page.choose("#rate", "6")
    for phase in ("forward", "backward", "update"):
        page.until(lambda phase=phase: page.find(phase).get_attribute("class") == "next")
        page.click(phase)
    page.until(lambda: page.text("steps") == "1")
    page.click("node-1-2")
    page.js("document.querySelector('#formula [data-edge=\"0 2 1\"]').click()")
    (session,) = page.server.sessions._sessions.values()
    was, now = session.before[0][0][2, 1].item(), session.net.layers[0].weight[2, 1].item()
    steps = "w \N{LEFTWARDS ARROW} w \N{MINUS SIGN} "
    said = next(line for line in page.find("formula").text.split("\n") if steps in line)
    written = [f"{value:.3f}".replace("-", "\N{MINUS SIGN}") for value in (was, now)]
    assert f"= {written[0]} \N{MINUS SIGN} " in said
    assert said.endswith(f"= {written[1]}")


def test_the_net_and_the_data_change(page):
    assert page.sizes() == [2, 8, 8, 1, 1]
    page.click("neurons-fewer-1")
    page.until(lambda: page.sizes() == [2, 7, 8, 1, 1])
    page.click("layers-more")
    page.until(lambda: page.sizes() == [2, 7, 8, 8, 1, 1])
    for _ in range(3):
        page.click("layers-less")
    page.until(lambda: page.sizes() == [2, 1, 1])
    page.choose("[value=digits]", None)
    page.until(lambda: page.sizes() == [1, 10, 1])
    assert "test images" in page.text("surface-title")
    page.click("layers-more")
    page.until(lambda: page.sizes() == [1, 4, 10, 1])
    page.click("forward")
    page.click("node-1-0")
    assert "64 pixels" in page.text("formula")
    page.choose("[value=bumps]", None)
    page.until(lambda: page.text("right") == "\N{EN DASH}")
    for name, value in [("#activation", "relu"), ("#optimizer", "sgd"), ("#rate", "9")]:
        page.choose(name, value)
    page.choose("#dropout", "2")
    (session,) = page.server.sessions._sessions.values()
    page.until(lambda: session.settings.dropout == 0.2)
    found = session.settings
    assert (found.activation, found.optimizer, found.rate) == ("relu", "sgd", 3)


def test_all_kinds_are_drawn_in_every_phase(page):
    for data in ("circles", "bumps", "digits"):
        page.choose(f"[value={data}]", None)
        for phase in ("forward", "backward", "update"):
            page.click(phase)
            page.until(lambda phase=phase: page.find(phase).get_attribute("class") != "next")
            for edges in ("weight", "signal", "gradient", "follow"):
                page.choose("#edges", edges)
            for column in range(5 if data == "digits" else 4):
                page.js("document.getElementById(arguments[0]).focus()", f"node-{column}-0")
                assert not re.search("undefined|NaN|null", page.text("moment"))
    page.js("document.getElementById('tables').open = true")
    page.until(lambda: page.js("return document.querySelectorAll('#tables caption').length") == 3)
    for column in range(5):
        page.click(f"node-{column}-0")
        assert page.js("return document.querySelector('#formula h3').textContent")


def test_a_loss_that_is_no_number_is_said(page):
    page.choose("[value=bumps]", None)
    for name, value in [("#activation", "linear"), ("#optimizer", "momentum"), ("#rate", "9")]:
        page.choose(name, value)
    page.click("play")
    page.until(lambda: "no longer a number" in page.text("status"))
    page.until(lambda: page.text("play") == "Play")
    page.choose("#rate", "4")
    page.click("reset")
    page.until(lambda: page.text("status").startswith("Ready"))


def test_two_tabs_learn_apart(page):
    page.driver.switch_to.new_window("tab")
    other = Page(page.driver, page.server.address)
    assert len(page.server.sessions) == 2
    other.choose("[value=xor]", None)
    other.click("forward")
    other.until(lambda: "forward" in other.text("status"))
    page.driver.switch_to.window(page.tab)
    assert page.text("status").startswith("Ready")
    assert page.text("epoch") == "0"
    page.driver.switch_to.window(other.tab)
    page.driver.close()
    page.driver.switch_to.window(page.tab)
    page.until(lambda: len(page.server.sessions) == 1)  # a closed tab says so


def test_a_dropped_session_is_made_anew(page):
    page.server.sessions.close_all()
    page.choose("[value=xor]", None)
    page.until(lambda: "this is a new one" in page.text("status"))
    page.click("forward")
    page.until(lambda: "Step 1, forward" in page.text("status"))
    # The browser itself reports the answer that told the page.
    log = page.driver.get_log("browser")
    assert ["404" in entry["message"] for entry in log] == [True]


def test_keyboard_alone_is_enough(page):
    body = page.driver.find_element("tag name", "body")
    body.send_keys(webdriver.Keys.SPACE)
    page.until(lambda: page.text("play") == "Pause")
    body.send_keys(webdriver.Keys.SPACE)
    page.until(lambda: page.text("play") == "Play")
    reached = []
    for _ in range(60):
        page.driver.switch_to.active_element.send_keys(webdriver.Keys.TAB)
        name, outline = page.js(
            "const it = document.activeElement; const wide = getComputedStyle(it.closest"
            "('.data label') ?? it).outlineWidth; return [it.id || it.name || it.tagName, wide]"
        )
        assert outline == "3px" or name in ("BODY", "SUMMARY"), name
        reached.append(name)
    controls = {
        "play", "forward", "backward", "update", "reset", "speed", "layers-more", "edges",
        "neurons-fewer-1", "node-0-0", "node-3-0", "data", "noise", "batch", "activation",
        "optimizer", "rate", "l2", "dropout", "seed", "new-seed", "test-points",
    }  # fmt: skip
    assert controls - set(reached) == set()
    page.js("document.getElementById('node-1-0').focus()")
    page.driver.switch_to.active_element.send_keys(webdriver.Keys.ARROW_DOWN)
    page.driver.switch_to.active_element.send_keys(webdriver.Keys.ARROW_RIGHT)
    assert page.js("return document.activeElement.id") == "node-2-1"
    assert "Hidden 2, neuron 2" in page.text("formula")
    page.js("document.getElementById('neurons-fewer-1').focus()")
    page.driver.switch_to.active_element.send_keys(webdriver.Keys.ENTER)
    page.until(lambda: page.sizes() == [2, 7, 8, 1, 1])
    assert page.js("return document.activeElement.id") == "neurons-fewer-1"


def test_everything_has_a_name_for_who_listens(page):
    unnamed = page.js("""
        return [...document.querySelectorAll("button, select, input, canvas[role], summary")]
          .filter(it => !(it.ariaLabel || it.textContent.trim() || it.labels?.length))
          .map(it => it.outerHTML)
    """)
    assert unnamed == []
    assert page.find("status").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("data", ["spirals", "digits"])
def test_a_phone_needs_no_sideways_scroll(page, data):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.choose(f"[value={data}]", None)
    for _ in range(3):
        page.click("layers-more")
    page.until(lambda: len(page.sizes()) == 8)
    page.click("forward")
    page.click("node-2-7")
    wide = page.js("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide == [360, 360]
    outside = page.js("""
        return [...document.querySelectorAll(".node, .value, button, canvas")]
          .filter(it => { const box = it.getBoundingClientRect();
                          return box.width && (box.left < 0 || box.right > 360); })
          .map(it => it.id || it.textContent)
    """)
    assert outside == []


def test_a_server_that_stopped_is_said(page):
    page.server.shutdown()
    page.server.server_close()
    page.driver.execute_cdp_cmd("Network.enable", {})
    page.driver.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    page.js("document.getElementById('forward').click()")
    page.until(lambda: "The server does not answer" in page.text("status"))
    page.driver.execute_cdp_cmd("Network.disable", {})
    page.driver.get_log("browser")
