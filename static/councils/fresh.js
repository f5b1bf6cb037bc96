/**
 * Lists and conversations while a council in them is at work: fetches the page again every few seconds and takes over what has
 * changed. Elements bear a name (`data-fresh`), a state (`data-state`), and whether there is more to come (`data-more`).
 */
const EVERY_MS = 3_000;
const announce = document.getElementById("announce");
const more = () => document.querySelector('[data-fresh][data-more="true"]') !== null;

async function look() {
  if (!document.hidden) await fetchPage();
  if (more()) setTimeout(look, EVERY_MS);
}

async function fetchPage() {
  let arrived;
  try {
    const response = await fetch(location.href, { credentials: "same-origin" });
    // Signed out, or gone: the whole page says it better.
    if (response.redirected || response.status === 404) location.reload();
    if (!response.ok) return;
    arrived = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    // The page shows what it has; the next look brings it up to date.
    return;
  }
  for (const old of document.querySelectorAll("[data-fresh]")) {
    const fresh = arrived.querySelector(`[data-fresh="${CSS.escape(old.dataset.fresh)}"]`);
    if (fresh && fresh.dataset.state !== old.dataset.state) swap(old, document.adoptNode(fresh));
  }
}

function swap(old, fresh) {
  const hadFocus = old.contains(document.activeElement);
  old.replaceWith(fresh);
  if (hadFocus) fresh.querySelector("a, button, textarea")?.focus({ preventScroll: true });
  if (announce && fresh.dataset.spoken) announce.textContent = fresh.dataset.spoken;
}

if (more()) setTimeout(look, EVERY_MS);
