"""What is wrong with a page as it stands in the browser: each function says so in a list, empty where all is well."""

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

_AXE = """async (colours) => {
  const { violations } = await axe.run({ resultTypes: ["violations"], rules: { "color-contrast": { enabled: colours } } });
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, any, all, none }) =>
    `${id}: ${target.join(" ")} (${[...any, ...all, ...none].map(({ message }) => message).join("; ") || help})`));
}"""

_TOO_WIDE = """() => {
  const excess = document.documentElement.scrollWidth - innerWidth;
  if (excess <= 0) return [];
  const widest = [...document.querySelectorAll("body *")].filter((one) => !one.closest(".visually-hidden"))
    .reduce((most, one) => (one.getBoundingClientRect().right > most.getBoundingClientRect().right ? one : most));
  return [`${excess} px too wide, by <${widest.tagName.toLowerCase()} class="${widest.className}">`];
}"""

# Motion that follows the reader's own scrolling is no motion of the page.
_MOVING = """() => {
  const name = (one) => `<${one.tagName.toLowerCase()} class="${one.getAttribute("class") ?? ""}">`;
  const running = document.getAnimations().filter(({ timeline }) => timeline instanceof DocumentTimeline);
  const timed = [...document.querySelectorAll("*")].filter((one) => /[1-9]/.test(getComputedStyle(one).transitionDuration));
  return [...running.map(({ effect }) => `moves: ${name(effect.target)}`), ...timed.map((one) => `has a transition: ${name(one)}`)];
}"""

# Focus that a script moves looks like the focus before it: the caller has pressed a key.
_FOCUS = """() => {
  const faults = [];
  const name = (one) => `<${one.tagName.toLowerCase()} class="${one.className}" id="${one.id}"> ${one.textContent.trim().slice(0, 30)}`;
  const reachable = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const all = [...document.querySelectorAll(reachable)].filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility());
  const look = (one) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    return [outlineStyle, outlineWidth, boxShadow].join(" ");
  };
  // A box may show the focus of the field in it.
  const looks = (one) => [one, one.parentElement, one.parentElement.parentElement].map(look).join("|");
  for (const one of all) {
    if (one.tabIndex > 0) faults.push(`jumps the queue: ${name(one)}`);
    document.activeElement.blur();
    const before = looks(one);
    one.focus();
    if (document.activeElement !== one) continue;
    if (looks(one) === before) faults.push(`focus does not show: ${name(one)}`);
    const { left, top, right, bottom } = one.getBoundingClientRect();
    const spots = [0.1, 0.5, 0.9];
    const points = spots.flatMap((x) => spots.map((y) => document.elementFromPoint(left + (right - left) * x, top + (bottom - top) * y)));
    const seen = points.some((hit) => hit && (one.contains(hit) || hit.contains(one) || hit.closest("label")?.control === one));
    if (!seen) faults.push(`is out of sight when it has the focus: ${name(one)}`);
  }
  return faults;
}"""


def axe(page: Page, *, colours: bool = True) -> list[str]:
    """What axe-core finds by its default rules: WCAG 2 A and AA, best practices. Most of its time goes into the colours of texts."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(_AXE, colours)
    return found


def too_wide(page: Page) -> list[str]:
    """Whether one would have to scroll sideways, and because of what."""
    found: list[str] = page.evaluate(_TOO_WIDE)
    return found


def moving(page: Page) -> list[str]:
    """What moves or would move by itself."""
    found: list[str] = page.evaluate(_MOVING)
    return found


def focus_faults(page: Page) -> list[str]:
    """What takes the focus without showing it, hides under something else then, or takes it out of order."""
    page.keyboard.press("Tab")
    found: list[str] = page.evaluate(_FOCUS)
    return found
