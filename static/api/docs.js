/* Shows the schema of the API. Requests that are tried out go with the visitor's session, so writing ones carry the CSRF token. */

const docs = document.getElementById("docs");
const READING = new Set(["GET", "HEAD", "OPTIONS"]);

/** The library has a dark look and leaves it to the page when to wear it. */
function dress(device) {
  const chosen = document.documentElement.dataset.theme;
  document.documentElement.classList.toggle("dark-mode", chosen === "dark" || (chosen !== "light" && device.matches));
}

const device = window.matchMedia("(prefers-color-scheme: dark)");
device.addEventListener("change", () => dress(device));
dress(device);

function withToken(request) {
  const isOurs = new URL(request.url, document.baseURI).origin === window.location.origin;
  if (isOurs && !READING.has(request.method ?? "GET")) {
    request.headers["X-CSRFToken"] = docs.dataset.csrfToken;
  }
  return request;
}

window.SwaggerUIBundle({
  url: docs.dataset.schema,
  domNode: docs,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  // No badge from a foreign server.
  validatorUrl: null,
  requestInterceptor: withToken,
});
