// Keeps the comparison of a trial fresh while its runs go on. Without this the page reloads by itself.
const EVERY_MS = 2000;

async function follow() {
  const here = document.getElementById("trial");
  if (!here || here.dataset.live !== "true") return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok && !answer.redirected) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("trial");
      // Whoever is on a link or has marked text keeps it until they let go.
      const busy = here.contains(document.activeElement) || !getSelection().isCollapsed;
      if (fresh && (!busy || fresh.dataset.live === "false")) here.replaceWith(document.adoptNode(fresh));
    }
  } catch {
    // The server is away for a moment: ask again.
  }
  setTimeout(follow, EVERY_MS);
}

setTimeout(follow, EVERY_MS);
