from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

from daisee.web.view import ChartPoint, FlowView, StreetView, as_json, chart_point


def power(view: StreetView) -> ChartPoint:
    point = chart_point(view)
    assert point is not None
    return point


def test_the_chart_s_parts_add_up_to_what_the_street_consumes(view: StreetView) -> None:
    point = power(view)
    assert point.consumed_w == sum(home.consumption_w or 0 for home in view.homes)
    assert point.own_w + point.neighbours_w + point.imported_w == point.consumed_w
    assert point.neighbours_w > 0 or point.imported_w > 0


def test_what_flows_out_is_nobody_s_consumption(view: StreetView) -> None:
    exported = [FlowView("Ben", "grid", 2_000.0)]
    point = power(dataclasses.replace(view, flows=exported))
    assert point.own_w == point.consumed_w


def test_flows_beyond_what_is_consumed_leave_no_negative_part(view: StreetView) -> None:
    flows = [FlowView("grid", "Ada", 1e6), FlowView("Ben", "Ada", 1e6), FlowView("grid", "nobody", 1e6)]
    point = power(dataclasses.replace(view, flows=flows))
    assert (point.imported_w, point.neighbours_w, point.own_w) == (point.consumed_w, 0, 0)


def test_a_silent_home_counts_as_nothing(view: StreetView) -> None:
    silent = [dataclasses.replace(home, consumption_w=None) for home in view.homes]
    assert power(dataclasses.replace(view, homes=[*silent[:5], view.homes[5]])).consumed_w == view.homes[5].consumption_w
    assert chart_point(dataclasses.replace(view, homes=silent)) is None


def test_a_view_is_json_with_iso_times_and_plain_ends(view_at: Callable[..., StreetView]) -> None:
    told = as_json(view_at(homes=2))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["now"] == "2017-06-14T12:00:00+00:00"
    assert {"from", "to", "energy_wh"} <= told["transactions"][0].keys()
    assert set(told["flows"][0]) == {"from", "to", "power_w"}
    assert told["homes"][1]["offer"] == {"price_per_kwh": "0.20", "available_wh": 3_250.0}
