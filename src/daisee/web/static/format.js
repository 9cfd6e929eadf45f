// Numbers and times as people read them: always with a unit, always as wide as the number before.

const NONE = "–";

/** Watts below a kilowatt, kilowatts from there. */
export function power(w) {
  return inThousands(w, "W");
}

/** Watt-hours below a kilowatt-hour, kilowatt-hours from there. */
export function energy(wh) {
  return inThousands(wh, "Wh");
}

function inThousands(amount, unit) {
  if (amount === null || amount === undefined) return NONE;
  if (Math.round(amount) < 1000) return `${Math.round(amount)}\u00a0${unit}`;
  return `${(amount / 1000).toFixed(amount < 9995 ? 2 : 1)}\u00a0k${unit}`;
}

export function percent(share) {
  return share === null || share === undefined ? NONE : `${Math.round(share * 100)}\u00a0%`;
}

export function count(number) {
  return number.toLocaleString("en-GB").replaceAll(",", "\u202f");
}

/** How long ago, by the street's clock. */
export function age(seconds) {
  if (seconds < 0) return "";
  if (seconds < 120) return `${Math.round(seconds)} s old`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min old`;
  return `${Math.round(seconds / 3600)} h old`;
}

/** The street's wall clock; a zone this browser does not know is read as UTC. */
export function wallClock(zone) {
  const timeZone = known(zone) ? zone : "UTC";
  const parts = (options) => new Intl.DateTimeFormat("en-GB", { timeZone, ...options });
  const day = parts({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
  const minute = parts({ hour: "2-digit", minute: "2-digit" });
  return { timeZone, day: (date) => day.format(date), minute: (date) => minute.format(date) };
}

function known(zone) {
  try {
    return Boolean(new Intl.DateTimeFormat("en-GB", { timeZone: zone }));
  } catch {
    return false;
  }
}

/** At most so many characters, the last one an ellipsis where some were left out. */
export function shorten(text, most) {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("").trimEnd()}…`;
}
