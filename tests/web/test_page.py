"""The page in a real browser: it moves, it stays within its origin and its width, and a name from a data file is text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from daisee.web.board import StreetBoard
from daisee.web.view import FlowView, StreetView

pytestmark = pytest.mark.chromium

WIDE, PHONE = (1280, 900), (390, 844)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Serve = Callable[..., Any]
ViewAt = Callable[..., StreetView]


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(QUIET))
        yield browser
        browser.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, serve: Serve, board: StreetBoard, view: StreetView) -> Iterator[Open]:
    """Open the page, and hold at the end that it complained about nothing and asked nobody else."""
    board.publish(view)
    served = serve()
    complaints: list[str] = []
    asked: list[str] = []
    pages: list[Page] = []

    def opened(size: tuple[int, int] = WIDE, **options: object) -> Page:
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, **options)  # type: ignore[arg-type]
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(served.url)
        expect(page.locator("#live")).to_have_text("Live")
        expect(page.locator("#chart canvas")).to_be_visible()
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []
    assert {url[: url.find("/", len("http://"))] for url in asked} == {served.url}


def test_the_page_shows_each_home_its_flows_and_the_ledger(open_page: Open, view: StreetView) -> None:
    page = open_page()
    for home in view.homes:
        expect(page.locator(".house", has_text=home.home).first).to_be_visible()
        expect(page.locator(".card", has=page.get_by_role("heading", name=home.home))).to_be_visible()
    expect(page.locator(".flow")).to_have_count(len(view.flows))
    expect(page.locator("#transactions tr")).to_have_count(len(view.transactions))
    expect(page.locator("#block")).to_have_text("4\u202f000")
    expect(page.locator("#rpc-url")).to_have_text(view.chain.rpc_url)
    expect(page.locator("#self-sufficiency")).to_have_text("68\u00a0%")
    ada = page.locator(".card", has=page.get_by_role("heading", name="Ada"))
    expect(ada.locator(".credits tbody")).to_have_text(re.compile(r"Ben1.50.kWh1.14.kWh360.Wh"))


def test_values_follow_the_street(open_page: Open, board: StreetBoard, view: StreetView) -> None:
    page = open_page()
    ben = page.locator(".card", has=page.get_by_role("heading", name="Ben"))
    for watts, shown in ((1_234.0, "1.23 kW"), (77.4, "77 W")):
        homes = [dataclasses.replace(home, consumption_w=watts) for home in view.homes]
        flows = [FlowView("grid", home.home, watts) for home in homes]
        now = view.now + timedelta(minutes=watts)
        board.publish(dataclasses.replace(view, now=now, homes=homes, flows=flows))
        expect(ben.locator(".card-power")).to_have_text(shown)
        expect(page.locator(".house-power").nth(1)).to_have_text(shown)
        expect(page.locator(".flow[data-kind=grid]")).to_have_count(len(homes))


def test_a_trade_is_drawn_from_seller_to_buyer(open_page: Open, board: StreetBoard, view: StreetView) -> None:
    page = open_page()
    board.publish(dataclasses.replace(view, flows=[FlowView("Ben", "Fatima", 500.0), FlowView("Fatima", "grid", 90.0)]))
    flow = page.locator(".flow[data-kind=neighbour]")
    expect(flow).to_have_count(1)
    ends = flow.evaluate("path => [0, path.getTotalLength()].map((at) => path.getPointAtLength(at).x)")
    middles = [page.locator(".house").nth(index).evaluate("h => h.transform.baseVal[0].matrix.e") for index in (1, 5)]
    assert ends == pytest.approx(middles, abs=15)


@pytest.mark.parametrize("homes", [2, 6, 20])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_overflows(open_page: Open, board: StreetBoard, view_at: ViewAt, homes: int, size: tuple[int, int]) -> None:
    view = view_at(homes=homes)
    long = "A-home-with-a-name-that-goes-on-and-on-without-a-single-space-in-it"
    named = [dataclasses.replace(view.homes[0], home=long, note=long), *view.homes[1:]]
    page = open_page(size)
    board.publish(dataclasses.replace(view, homes=named, title=long))
    expect(page.locator(".house")).to_have_count(homes)
    expect(page.locator("h3", has_text=long)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    drawing = page.locator("#drawing svg").bounding_box()
    assert drawing is not None
    assert drawing["width"] <= size[0]
    for house in page.locator(".house").all():
        box = house.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]


def test_the_drawing_follows_the_window(open_page: Open) -> None:
    page = open_page(WIDE)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    expect(page.locator("#drawing svg")).to_have_attribute("width", re.compile(r"3[0-9]{2}"))
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


def test_light_and_dark_follow_the_reader_s_wish(open_page: Open) -> None:
    page = open_page(color_scheme="light")

    def brightness(selector: str, of: str) -> int:
        script = "([s, of]) => getComputedStyle(document.querySelector(s))[of].match(/\\d+/g).slice(0, 3).map(Number)"
        return sum(page.evaluate(script, [selector, of]))

    assert brightness("html", "backgroundColor") > 600 > 200 > brightness("body", "color")
    page.emulate_media(color_scheme="dark")
    assert brightness("html", "backgroundColor") < 200 < 600 < brightness("body", "color")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_small_text_can_be_read(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    for selector in (".summary", ".card-kind", ".chip", ".badge", ".kind", ".tick", ".card-made", ".transactions code"):
        assert page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector


def test_motion_stops_where_it_is_not_wanted(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    flow = page.locator(".flow").first
    assert flow.evaluate("path => getComputedStyle(path).animationName") == "none"
    page.emulate_media(reduced_motion="no-preference")
    assert flow.evaluate("path => getComputedStyle(path).animationName") == "run"


def test_a_name_from_a_data_file_is_text(open_page: Open, board: StreetBoard, view: StreetView) -> None:
    page = open_page()
    evil = "<img src=/nowhere onerror=\"document.title='taken'\">"
    homes = [dataclasses.replace(view.homes[0], home=evil, source=evil, note=evil, title=evil), view.homes[1]]
    credit = dataclasses.replace(view.homes[0].credits[0], seller=evil)  # a home that sells
    homes[1] = dataclasses.replace(homes[1], credits=[credit], source=evil)
    told = dataclasses.replace(view.transactions[1], from_=evil, to=evil, hash=evil, kind=evil)
    chain = dataclasses.replace(view.chain, rpc_url=evil, coin=evil, exchange=evil)
    flows = [FlowView(evil, "Ben", 100.0)]
    board.publish(dataclasses.replace(view, homes=homes, flows=flows, transactions=[told], chain=chain, title=f"T {evil}"))
    expect(page.locator("h3").first).to_have_text(evil)
    expect(page.locator(".flow")).to_have_count(1)
    expect(page.locator("#transactions td").nth(2)).to_have_text(evil)
    page.reload()
    expect(page.locator("h3").first).to_have_text(evil)
    assert page.locator("main img").count() == 0
    assert page.title() == f"T {evil} · DAISEE"


def test_a_keyboard_reaches_a_home_and_its_card(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the street")).to_be_focused()
    page.keyboard.press("Tab")
    ada = page.get_by_role("link", name=re.compile(r"^Ada uses .* battery at "))
    expect(ada).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#home-0:target")).to_be_in_viewport()


def test_what_the_page_says_is_there_for_a_screen_reader(open_page: Open) -> None:
    page = open_page()
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).count() == 1
    for name in ("The street, now", "Today", "Homes", "Latest energy transactions", "The ledger behind it"):
        expect(page.get_by_role("heading", level=2, name=name)).to_be_visible()
    expect(page.get_by_role("meter", name="Battery of Ada")).to_have_attribute("aria-valuenow", re.compile(r"\d+"))
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    expect(page.locator("#news")).to_have_attribute("aria-live", "polite")
    label = page.locator("#today-bar").get_attribute("aria-label")
    assert label == "58\u00a0% own energy, 10\u00a0% from neighbours, 32\u00a0% from the grid"


def test_a_home_that_makes_all_it_uses_is_shown_as_its_own(open_page: Open, board: StreetBoard, view: StreetView) -> None:
    page = open_page()
    tied = dataclasses.replace(view.homes[1], source="grid", consumption_w=500.0)
    homes = [dataclasses.replace(tied, home=name, production_w=made) for name, made in (("some", 499.0), ("all", 500.0))]
    board.publish(dataclasses.replace(view, homes=homes, flows=[]))
    expect(page.locator(".chip")).to_have_text(["from the grid", "own energy"])


def test_a_street_without_a_reading_yet_is_a_page_too(open_page: Open, board: StreetBoard, view: StreetView) -> None:
    page = open_page()
    homes = [dataclasses.replace(home, consumption_w=None, production_w=None) for home in view.homes]
    board.publish(dataclasses.replace(view, homes=homes, flows=[]))
    expect(page.locator("#summary")).to_have_text("No home has been measured yet.")


def test_trades_can_be_seen_without_the_reports(open_page: Open, view: StreetView) -> None:
    page = open_page()
    page.get_by_label("trades only").check()
    trades = [each for each in view.transactions if each.kind in ("bought", "offered")]
    expect(page.locator("#transactions tr")).to_have_count(len(trades))


def test_a_home_that_is_dark_or_silent_says_so(open_page: Open, board: StreetBoard, view: StreetView) -> None:
    page = open_page()
    dark = dataclasses.replace(view.homes[0], source="none", note="dark: the battery is empty", state_of_charge=0.0)
    silent = dataclasses.replace(view.homes[1], consumption_w=None, production_w=None, note="the sensor is silent")
    board.publish(dataclasses.replace(view, homes=[dark, silent], flows=[]))
    expect(page.locator(".card-note").first).to_have_text("dark: the battery is empty")
    expect(page.locator(".chip").first).to_have_text("dark")
    expect(page.locator(".card-power").nth(1)).to_have_text("–")
    expect(page.locator(".card-note").nth(1)).to_have_text("the sensor is silent")


def test_the_end_of_the_data_is_told(open_page: Open, board: StreetBoard, view: StreetView) -> None:
    page = open_page()
    expect(page.locator("#ended")).to_be_hidden()
    board.publish(dataclasses.replace(view, running=False))
    expect(page.locator("#ended")).to_have_text(re.compile("data has ended.*Ctrl-C"))
    expect(page.locator("#live")).to_have_text("Ended")


@contextmanager
def bare_page(browser: Browser, url: str) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(url)
    yield page
    page.close()


def test_an_empty_street_and_one_that_has_not_begun_are_pages_too(
    browser: Browser, serve: Serve, board: StreetBoard, view: StreetView
) -> None:
    served = serve()
    with bare_page(browser, served.url) as page:
        expect(page.locator("#summary")).to_have_text("The street has not begun yet.")
        board.publish(dataclasses.replace(view, homes=[], flows=[], transactions=[]))
        expect(page.locator("#summary")).to_have_text("No home has joined the street yet.")
        expect(page.locator("#no-transactions")).to_be_visible()
        board.publish(view)
        expect(page.locator(".house")).to_have_count(6)


def test_a_page_finds_its_street_again_after_the_server_was_away(browser: Browser, serve: Serve, view: StreetView) -> None:
    before, after = StreetBoard(), StreetBoard()
    before.publish(view)
    served = serve(before)
    with bare_page(browser, served.url) as page:
        expect(page.locator("#live")).to_have_text("Live")
        before.close()
        served.stop()
        expect(page.locator("#live")).to_have_text("Connection lost, trying again")
        after.publish(dataclasses.replace(view, title="The street after"))
        serve(after, served.port)
        expect(page.locator("#title")).to_have_text("The street after", timeout=15_000)
        expect(page.locator("#live")).to_have_text("Live")
        after.close()


CONTRAST = """element => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const solid = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const pair = [channels(getComputedStyle(element).color), solid(element)].map(light).sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05);
}"""
"""The contrast of an element's text, as WCAG 2 computes it."""
