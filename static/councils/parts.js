const GATHER_MS = 120;
const RETRY_MS = 2_000;
const SCROLLERS = ".card-text, .chair-text, .scroll-x";
/** Above this a reader is at the head of the page, where the answer comes. */
const AT_HEAD_PX = 160;

/**
 * Keeps parts of the page fresh: gathers the names of stale parts, fetches them in one request as the server renders them, and puts
 * them in place of the old ones. One request at a time; what becomes stale meanwhile goes into the next.
 */
export class Parts {
  constructor({ address, onSwap, beforeBody = () => {} }) {
    this.address = address;
    this.onSwap = onSwap;
    this.beforeBody = beforeBody;
    this.stale = new Set();
    this.timer = null;
    this.busy = false;
  }

  refresh(...names) {
    names.forEach((name) => this.stale.add(name));
    this.schedule(GATHER_MS);
  }

  schedule(wait) {
    if (!this.busy && this.timer === null) this.timer = setTimeout(() => this.fetchStale(), wait);
  }

  async fetchStale() {
    this.timer = null;
    const names = this.stale.has("body") ? ["body"] : [...this.stale];
    this.stale.clear();
    this.busy = true;
    let wait = GATHER_MS;
    try {
      const response = await fetch(this.address.replace("PARTS", names.map(encodeURIComponent).join(",")), { credentials: "same-origin" });
      // Signed out, or the run is gone: the whole page says it better.
      if (response.redirected || response.status === 404) location.reload();
      else if (response.ok) await this.arrived(names, await response.text());
      else throw new Error(`${response.status}`);
    } catch {
      // The page shows what it has; the next try brings it up to date.
      names.forEach((name) => this.stale.add(name));
      wait = RETRY_MS;
    }
    this.busy = false;
    if (this.stale.size) this.schedule(wait);
  }

  async arrived(names, html) {
    if (names.includes("body")) await this.beforeBody();
    this.place(html);
  }

  place(html) {
    const arrived = new DOMParser().parseFromString(html, "text/html");
    for (const fresh of [...arrived.body.querySelectorAll(":scope > [data-part]")]) {
      const old = document.querySelector(`[data-part="${CSS.escape(fresh.dataset.part)}"]`);
      const card = fresh.dataset.part.includes(":");
      if (old) swap(old, document.adoptNode(fresh));
      // A card that the page does not have yet belongs to a later round: take the whole page anew.
      else if (card) this.refresh("body");
      if (old) this.onSwap(fresh);
    }
  }
}

/** Put the new element in the old one's place; keep what the reader did to it: opened, scrolled, focused. */
function swap(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const path = focused && selectorOf(focused);
  const scrolled = [...old.querySelectorAll(SCROLLERS)].map((element) => [element.className, element.scrollTop, element.scrollLeft]);
  if (fresh.matches("details") && old.matches("details")) fresh.open = old.open;
  if (old.dataset.live === fresh.dataset.live) keepHandiwork(old, fresh);
  const goOn = readingIn(old);
  old.replaceWith(fresh);
  scrolled.forEach(([name, top, left], place) => {
    const twin = fresh.querySelectorAll(SCROLLERS)[place];
    if (twin?.className === name) twin.scrollTo({ top, left, behavior: "instant" });
  });
  if (path) fresh.querySelector(path)?.focus({ preventScroll: true });
  goOn();
}

/** Somebody who has scrolled down to an answer goes on reading it where it was on the screen, wherever the new page has it. */
function readingIn(old) {
  const read = old.dataset.part === "body" && scrollY > AT_HEAD_PX && document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest(".card, .chair");
  if (!read) return () => {};
  const before = read.getBoundingClientRect().top;
  return () => {
    const twin = document.getElementById(read.id) ?? document.querySelector(".answer");
    for (let fold = twin?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (twin) scrollBy({ top: twin.getBoundingClientRect().top - before, behavior: "instant" });
  };
}

/** What was unfolded and typed inside. A page that changes from live to ended has another shape, and begins anew. */
function keepHandiwork(old, fresh) {
  for (const twin of fresh.querySelectorAll("details[id], textarea[id]")) {
    const before = old.querySelector(`#${CSS.escape(twin.id)}`);
    if (before && twin.matches("details")) twin.open = before.open;
    else if (before?.value) twin.value = before.value;
  }
}

function selectorOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  return element.className ? `${element.tagName}.${element.className.split(" ").map(CSS.escape).join(".")}` : element.tagName;
}
