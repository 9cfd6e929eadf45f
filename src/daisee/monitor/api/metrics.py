"""The home for Prometheus: its powers, its counters, and how its sensors and its store do."""

from __future__ import annotations

import time
from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from daisee.monitor.running import Monitor

TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HomeMetrics(Collector):
    """Asks the monitor whenever it is asked."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """Answer what is known now."""
        monitor, collector = self._monitor, self._monitor.collector
        with monitor.books.lock:
            newest, totals = dict(collector.newest), monitor.store.meter_totals()
            taken, refused, resets = dict(collector.taken), dict(collector.refused), dict(collector.resets)
            waiting = monitor.store.is_stuck
        power = GaugeMetricFamily(
            "daisee_power_watts", "Power of a meter, positive in its forward direction", labels=["meter", "role"]
        )
        charge = GaugeMetricFamily("daisee_state_of_charge_ratio", "State of charge of a battery", labels=["meter"])
        age = GaugeMetricFamily("daisee_reading_age_seconds", "How long ago a meter spoke last", labels=["meter"])
        energy = CounterMetricFamily(
            "daisee_energy_joules", "Energy through a meter, all of it", labels=["meter", "role", "direction"]
        )
        readings = CounterMetricFamily("daisee_readings", "Readings since it was started", labels=["meter", "outcome"])
        anew = CounterMetricFamily(
            "daisee_counter_resets", "How often a meter's counter began anew, since it was started", labels=["meter"]
        )
        for name, meter in collector.meters.items():
            reading, role = newest.get(name), str(meter.role)
            if reading is not None:
                age.add_metric([name], max(0.0, time.time() - reading.at_s))
                if reading.power_w is not None:
                    power.add_metric([name, role], reading.power_w)
                if reading.state_of_charge is not None:
                    charge.add_metric([name], reading.state_of_charge)
            energy.add_metric([name, role, "forward"], totals[name].forward_j)
            energy.add_metric([name, role, "reverse"], totals[name].reverse_j)
            anew.add_metric([name], resets.get(name, 0))
            readings.add_metric([name, "taken"], taken.get(name, 0))
            readings.add_metric([name, "refused"], refused.get(name, 0))
        yield from (power, charge, age, energy, readings, anew)
        wrong = GaugeMetricFamily("daisee_sensor_wrong", "Whether something is wrong with a sensor", labels=["sensor"])
        for listener in monitor.listeners:
            wrong.add_metric([listener.plan.name], float(listener.trouble is not None))
        yield wrong
        yield GaugeMetricFamily(
            "daisee_store_stuck", "Whether the store cannot be written, and readings wait in memory", float(waiting)
        )


def metrics_routes(monitor: Monitor) -> APIRouter:
    """Answer the route for Prometheus."""
    router = APIRouter(tags=["metrics"])
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HomeMetrics(monitor))

    @router.get("/metrics", summary="The home for Prometheus", response_class=Response, responses={200: {"content": {TYPE: {}}}})
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=TYPE)

    return router
