// A card for each home: what it uses, where from, its battery, its coins and what it has bought from whom.

import { element, put, say } from "./dom.js";
import { energy, percent, power } from "./format.js";

export class Cards {
  #host;
  #names = "";
  #cards = [];

  constructor(host) {
    this.#host = host;
  }

  show(view, clock) {
    const names = JSON.stringify(view.homes.map((home) => home.home));
    if (names !== this.#names) {
      this.#names = names;
      this.#cards = view.homes.map((home, index) => new Card(home, index));
      this.#host.replaceChildren(...this.#cards.map((card) => card.root));
    }
    view.homes.forEach((home, index) => this.#cards[index].show(home, clock));
  }
}

/** The feed of a home in one of the page's colours. Whoever makes all it uses feeds itself, whatever stands by. */
export function feedOf(home) {
  const covered = home.kind === "grid-tied" && home.production_w > 0 && home.production_w >= home.consumption_w;
  if (covered && home.source !== "none") return "own";
  return ["own", "grid", "none"].includes(home.source) ? home.source : "neighbour";
}

/** The feed of a home in words. */
export function feedWords(home) {
  const words = { own: "own energy", grid: "from the grid", none: "dark" };
  return words[feedOf(home)] ?? `from ${home.source}`;
}

class Card {
  constructor(home, index) {
    this.feed = element("span", { class: "chip" });
    this.kind = element("p", { class: "card-kind" });
    this.power = element("strong", { class: "card-power" });
    this.made = element("span", { class: "card-made" });
    this.note = element("p", { class: "card-note", hidden: "" });
    this.charge = element("span", { class: "gauge-fill" });
    this.gauge = element("div", { class: "gauge", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": `Battery of ${home.home}` }, this.charge);
    this.battery = fact("Battery");
    this.coins = fact("Coins");
    this.offer = fact("Sells");
    this.credits = element("div", { class: "credits" });
    this.root = element(
      "article",
      { class: "card", id: `home-${index}`, "aria-labelledby": `home-${index}-name`, tabindex: "-1" },
      element("div", { class: "card-head" }, element("h3", { id: `home-${index}-name` }, home.home), this.feed),
      this.kind,
      this.note,
      element("p", { class: "card-now" }, this.power, this.made),
      this.gauge,
      element("dl", { class: "card-facts" }, this.battery.root, this.coins.root, this.offer.root),
      this.credits,
    );
  }

  show(home, clock) {
    put(this.root, "data-feed", feedOf(home));
    say(this.feed, feedWords(home));
    const tied = home.kind === "islanded" ? "one source at a time, by relay" : "tied to the grid";
    const since = home.switched_at ? ` since ${clock.minute(new Date(home.switched_at))}` : "";
    say(this.kind, [home.title, `${tied}${since && ","}${since}`].filter(Boolean).join(" · "));
    say(this.note, home.note ?? "");
    this.note.hidden = !home.note;
    say(this.power, power(home.consumption_w));
    say(this.made, home.production_w ? `makes ${power(home.production_w)}` : "");
    this.#showBattery(home);
    this.coins.show(home.coins);
    this.offer.show(home.offer && `${energy(home.offer.available_wh)} at ${home.offer.price_per_kwh} coins/kWh`);
    this.#showCredits(home);
  }

  #showBattery(home) {
    const charge = home.state_of_charge;
    const has = charge !== null;
    this.gauge.hidden = !has;
    const of = home.battery_wh ? ` of ${energy(home.battery_wh)}` : "";
    this.battery.show(has ? percent(charge) + of : null);
    put(this.battery.root, "title", home.battery_product);
    if (!has) return;
    this.charge.style.width = `${100 * charge}%`;
    put(this.gauge, "aria-valuenow", Math.round(charge * 100));
    put(this.gauge, "data-level", chargeLevel(charge));
  }

  #showCredits(home) {
    const shown = JSON.stringify(home.credits);
    if (shown === this.shown) return;
    this.shown = shown;
    this.credits.replaceChildren(...(home.credits.length ? [creditTable(home.credits)] : []));
  }
}

export function chargeLevel(charge) {
  if (charge < 0.15) return "low";
  return charge < 0.35 ? "middle" : "high";
}

function fact(name) {
  const value = element("dd");
  const root = element("div", {}, element("dt", {}, name), value);
  const show = (text) => {
    root.hidden = !text;
    say(value, text ?? "");
  };
  return { root, show };
}

function creditTable(credits) {
  const head = ["Bought from", "bought", "used", "left"].map((name, index) =>
    element("th", index ? { scope: "col", class: "number" } : { scope: "col" }, name),
  );
  const rows = credits.map((credit) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, credit.seller),
      ...[credit.bought_wh, credit.drawn_wh, credit.credit_wh].map((wh) => element("td", { class: "number" }, energy(wh))),
    ),
  );
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}
