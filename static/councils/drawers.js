/** Where questions that were typed and not asked yet are kept, in this browser, for each person and form. */
const LABEL = "question:";
/** Under which name the browser's storage keeps a drawer. */
export const nameOf = (drawer) => LABEL + drawer;
const plain = (text) => text.replace(/\s+/g, " ").trim();

/** Runs `use` on the storage; where that is full or forbidden, a draft lives as long as its page. */
function withStorage(use) {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}

export function take(drawer) {
  return withStorage((storage) => storage.getItem(LABEL + drawer)) ?? "";
}

export function put(drawer, text) {
  withStorage((storage) => (text ? storage.setItem(LABEL + drawer, text) : storage.removeItem(LABEL + drawer)));
}

/** Empty the drawers that hold this text; without a text, all of them. */
export function forget(text) {
  withStorage((storage) => {
    for (const name of Object.keys(storage).filter((key) => key.startsWith(LABEL))) {
      if (text === undefined || plain(storage.getItem(name)) === plain(text)) storage.removeItem(name);
    }
  });
}
