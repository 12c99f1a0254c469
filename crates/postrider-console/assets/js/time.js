// Keeps relative times up to date, and shows exact times in the chosen zone.

/** @type {[number, string][]} */
const UNITS = [
  [172_800, "days"],
  [3_600, "h"],
  [60, "min"],
  [0, "s"],
];
/** @type {Record<string, number>} */
const SECONDS = { days: 86_400, h: 3_600, min: 60, s: 1 };

/**
 * The distance of a time from now, as the server writes it.
 * @param {number} seconds
 */
export function ago(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 1) return "just now";
  const unit = UNITS.find(([least]) => distance >= least)?.[1] ?? "s";
  const text = `${Math.floor(distance / SECONDS[unit])} ${unit}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

/**
 * Updates the times in an element.
 * @param {ParentNode} root
 */
export function updateTimes(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time")) {
    const at = new Date(element.dateTime);
    if (element.dataset.absolute !== undefined) {
      element.textContent = at.toLocaleString(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
    } else if (element.dataset.zone) {
      const text = ago((now - at.getTime()) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
    if (element.dataset.zone === "local") element.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}
