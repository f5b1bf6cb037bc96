/** On every page: times in the reader's own zone, and no drafts left behind by somebody who signs out. */
import { forget } from "./drawers.js";

const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

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

document.querySelector(".sign-out")?.addEventListener("submit", () => forget());
localise();
new MutationObserver(localise).observe(document.getElementById("main"), { childList: true, subtree: true });
