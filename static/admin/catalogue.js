// Narrows a provider's list of models by name. Without this the browser's own search finds them.
const search = document.getElementById("catalogue-search");
const rows = [...document.querySelectorAll("#catalogue tbody tr")];

if (search) {
  search.closest("label").hidden = false;
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const name = row.querySelector(".office-name")?.textContent.toLowerCase() ?? "";
      // What was chosen stays in sight.
      row.hidden = !words.every((word) => name.includes(word)) && !row.querySelector("input:checked");
    }
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}
