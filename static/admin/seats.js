// Moving the seats of a council by buttons, for keyboards and touch, and numbering them as they stand. Without this the numbers alone count.
const group = document.getElementById("members-group") ?? document.getElementById("members-data")?.parentElement;
const list = document.getElementById("members-data");

const seats = () => [...list.querySelectorAll(":scope > .form-group:not(.empty-form)")];
const placeOf = (seat) => seat.querySelector("input[name$='-position']");
const nameOf = (seat) => seat.querySelector("input[name$='-name']")?.value || "this seat";

function number() {
  const all = seats();
  all.forEach((seat, index) => {
    const place = placeOf(seat);
    if (place) place.value = index + 1;
    const [up, down] = seat.querySelectorAll(":scope .seat-move");
    if (!up) return;
    up.disabled = index === 0;
    down.disabled = index === all.length - 1;
    up.setAttribute("aria-label", `Move ${nameOf(seat)} up`);
    down.setAttribute("aria-label", `Move ${nameOf(seat)} down`);
  });
}

function move(seat, step) {
  const all = seats();
  const other = all[all.indexOf(seat) + step];
  if (!other) return;
  if (step < 0) other.before(seat);
  else other.after(seat);
  number();
  said.textContent = `${nameOf(seat)} is number ${seats().indexOf(seat) + 1} of ${all.length} now.`;
}

function button(word, seat, step) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "seat-move";
  made.textContent = word;
  made.addEventListener("click", () => {
    move(seat, step);
    // A button at the end of the way is switched off and would lose the focus.
    const [up, down] = seat.querySelectorAll(".seat-move");
    (made.disabled ? (step < 0 ? down : up) : made).focus();
  });
  return made;
}

function equip(seat) {
  const title = seat.querySelector("h3");
  if (!title || seat.querySelector(".seat-move")) return;
  title.querySelector("span.mr-auto")?.after(button("↑", seat, -1), button("↓", seat, 1));
}

const said = document.createElement("p");
said.setAttribute("role", "status");
said.className = "sr-only";

if (list) {
  group.append(said);
  const prepare = () => {
    seats().forEach(equip);
    number();
  };
  prepare();
  // Unfold has numbered the seats from zero when it says that one was drawn elsewhere.
  document.addEventListener("end", () => setTimeout(number));
  document.addEventListener("formset:added", prepare);
  document.addEventListener("formset:removed", prepare);
}
