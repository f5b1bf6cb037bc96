/** On every page: times in the reader's own zone, keys, and no drafts left behind by somebody who signs out. */
import { forget } from "./drawers.js";

// In English as the server writes it, year first: the Swedish way is the one that has this form.
const format = document.documentElement.lang.startsWith("en")
  ? new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" })
  : new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
const NO_KEYS = "no-single-keys";
const keys = document.getElementById("keys");
const TYPING = "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])";

/** The server writes UTC. A time that shows how long ago it was has its moment in the title. */
function localise() {
  for (const time of document.querySelectorAll("time[data-moment]")) {
    const local = format.format(new Date(time.dateTime));
    if (time.dataset.moment === "title") {
      time.title = local;
    } else {
      time.title = time.textContent;
      time.textContent = local;
    }
    // Once is enough, and a second time would lose what the server wrote.
    time.removeAttribute("data-moment");
  }
}

/** Whether single keys do something: whoever speaks to the computer, or rests a hand on it, can switch them off. */
function singleKeys(wanted) {
  try {
    if (wanted !== undefined) wanted ? localStorage.removeItem(NO_KEYS) : localStorage.setItem(NO_KEYS, "1");
    return localStorage.getItem(NO_KEYS) === null;
  } catch {
    return true;
  }
}

function press(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const target = event.target instanceof Element ? event.target : document.body;
  if (event.key === "Escape") return leave(target);
  if (target.matches(TYPING) || keys?.open || !singleKeys()) return;
  // The search of a list, else the box for the next question.
  const place = document.getElementById("q") ?? document.getElementById("id_question");
  if (event.key === "/" && place) {
    event.preventDefault();
    place.focus();
    place.scrollIntoView({ block: "nearest" });
  } else if (event.key === "?" && keys) {
    event.preventDefault();
    keys.showModal();
  }
}

function leave(target) {
  const fold = target.closest("details.tools[open]");
  if (!fold) return;
  fold.open = false;
  fold.querySelector("summary").focus();
}

if (keys) {
  const wanted = keys.querySelector("[name=single-keys]");
  wanted.checked = singleKeys();
  wanted.addEventListener("change", () => singleKeys(wanted.checked));
  keys.addEventListener("click", (event) => event.target === keys && keys.close());
  const opener = document.querySelector(".open-keys");
  opener.hidden = false;
  opener.addEventListener("click", () => keys.showModal());
}
document.addEventListener("keydown", press);
document.querySelector(".sign-out")?.addEventListener("submit", () => forget());
localise();
new MutationObserver(localise).observe(document.getElementById("main"), { childList: true, subtree: true });
