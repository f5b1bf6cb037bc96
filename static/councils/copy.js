/**
 * Copy buttons: for answers, which are copied as their author wrote them (Markdown), and for blocks of code. The server gives the
 * button as a template; without scripts there is none. Parts that the live view brings later get theirs too.
 */
const SHOWN_MS = 2_000;
const pattern = document.getElementById("copy-button").content.firstElementChild;
const announce = document.getElementById("announce");

function button(text, label) {
  const made = pattern.cloneNode(true);
  made.setAttribute("aria-label", label);
  made.addEventListener("click", async () => tell(made, await copy(text())));
  return made;
}

function equip() {
  for (const place of document.querySelectorAll("[data-copy-from]:empty")) {
    place.append(button(() => document.getElementById(place.dataset.copyFrom).content.textContent, pattern.dataset.answer));
  }
  for (const code of document.querySelectorAll(".prose pre > code")) {
    const block = code.parentElement;
    if (block.parentElement.matches(".code-block")) continue;
    const frame = document.createElement("div");
    frame.className = "code-block";
    block.replaceWith(frame);
    frame.append(block, button(() => code.textContent, pattern.dataset.code));
  }
}

/** Whether it went well. The older way serves pages that came over plain HTTP, where browsers keep the clipboard to themselves. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const focused = document.activeElement;
  const box = document.createElement("textarea");
  box.className = "visually-hidden";
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  return done;
}

function tell(made, done) {
  const words = done ? pattern.dataset.done : pattern.dataset.failed;
  made.textContent = words;
  announce.textContent = words;
  clearTimeout(made.timer);
  made.timer = setTimeout(() => {
    made.textContent = pattern.textContent;
    announce.textContent = "";
  }, SHOWN_MS);
}

equip();
new MutationObserver(equip).observe(document.getElementById("main"), { childList: true, subtree: true });
