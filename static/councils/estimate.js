/** Says what the question costs while it is being written. Without an answer the page keeps what it says of a question of usual length. */
const PAUSE_MS = 900;
const boxOf = (form) => form.querySelector("textarea");
let timer;
let asked = "";

function later(form) {
  clearTimeout(timer);
  timer = setTimeout(() => reckon(form), PAUSE_MS);
}

async function reckon(form) {
  const text = boxOf(form).value.trim();
  if (text === asked || !form.isConnected) return;
  asked = text;
  let costs;
  try {
    const response = await fetch(form.dataset.estimate, { method: "POST", body: new FormData(form), credentials: "same-origin" });
    if (!response.ok) return;
    ({ costs } = await response.json());
  } catch {
    return;
  }
  // What was typed meanwhile has a cost of its own.
  if (boxOf(form).value.trim() !== text) return;
  for (const [council, cost] of Object.entries(costs)) {
    const place = form.querySelector(`[data-cost-of="${council}"]`);
    if (place) place.textContent = cost;
  }
}

document.addEventListener("input", (event) => {
  const form = event.target instanceof Element && event.target.matches("textarea") ? event.target.closest("[data-estimate]") : null;
  if (form) later(form);
});

// The server has reckoned with the text that it sent; what was kept in this browser is news.
for (const form of document.querySelectorAll("[data-estimate]")) {
  asked = boxOf(form).defaultValue.trim();
  later(form);
}
