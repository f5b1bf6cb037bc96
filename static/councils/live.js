import { Draft } from "./draft.js";

const SUBSCRIBE_EVERY_MS = 400;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
const SIGN_IN_AGAIN = 4401;
/** After these errors nothing more can come. */
const FINAL_ERRORS = new Set(["not_found"]);

/**
 * Follows one run over a socket. The socket may lose, repeat and reorder: events count by their `seq`, text by attempt and offset,
 * and whatever does not fit makes it ask for a snapshot again.
 *
 * Calls `handlers.event(event)`, `handlers.snapshot(snapshot, hasNews)`, `handlers.draft(key, draft)`, `handlers.changed()`,
 * `handlers.connected(isConnected)` and `handlers.refused(code)`.
 */
export class LiveRun {
  constructor({ url, run, seq, handlers, connect = (address) => new WebSocket(address) }) {
    Object.assign(this, { url, run, seq, handlers, connect });
    this.drafts = new Map();
    this.aside = [];
    this.failures = 0;
    this.subscribedAt = -Infinity;
    this.timer = null;
    this.closed = false;
  }

  open() {
    if (this.closed) return;
    this.socket = this.connect(this.url);
    this.socket.onopen = () => this.subscribe();
    this.socket.onmessage = (message) => this.receive(JSON.parse(message.data));
    this.socket.onclose = (event) => this.lost(event.code);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }

  draft(key) {
    if (!this.drafts.has(key)) this.drafts.set(key, new Draft());
    return this.drafts.get(key);
  }

  /** Ask for the state now; asked again too soon, it waits. */
  subscribe() {
    const wait = this.subscribedAt + SUBSCRIBE_EVERY_MS - performance.now();
    clearTimeout(this.timer);
    if (wait > 0) {
      this.timer = setTimeout(() => this.subscribe(), wait);
    } else if (this.socket.readyState === WebSocket.OPEN) {
      this.subscribedAt = performance.now();
      this.socket.send(JSON.stringify({ type: "subscribe", run: this.run, after: this.seq }));
    }
  }

  lost(code) {
    clearTimeout(this.timer);
    this.subscribedAt = -Infinity;
    if (this.closed) return;
    if (code === SIGN_IN_AGAIN) {
      this.closed = true;
      this.handlers.refused("sign_in");
      return;
    }
    this.handlers.connected(false);
    const wait = Math.min(FIRST_RETRY_MS * 2 ** this.failures, LAST_RETRY_MS);
    this.failures += 1;
    // Half of it by chance, so that a server that comes back is not met by everybody at once.
    this.timer = setTimeout(() => this.open(), wait * (0.5 + Math.random() / 2));
  }

  receive(message) {
    if (message.run && message.run !== this.run) return;
    if (message.type === "snapshot") this.takeSnapshot(message);
    else if (message.type === "event") this.takeEvent(message.event);
    else if (message.type === "delta") this.takeDelta(message.items);
    else if (message.type === "changed") this.handlers.changed();
    else if (message.type === "error" && FINAL_ERRORS.has(message.code)) {
      this.close();
      this.handlers.refused(message.code);
    }
  }

  takeSnapshot(snapshot) {
    this.failures = 0;
    this.handlers.connected(true);
    for (const [key, { attempt, text }] of Object.entries(snapshot.drafts ?? {})) {
      if (this.draft(key).replace(attempt, text)) this.handlers.draft(key, this.draft(key));
    }
    const hasNews = snapshot.seq > this.seq;
    this.seq = Math.max(this.seq, snapshot.seq);
    this.handlers.snapshot(snapshot, hasNews);
    const waiting = this.aside;
    this.aside = [];
    this.takeDelta(waiting);
  }

  takeEvent(event) {
    if (event.seq <= this.seq) return;
    if (event.seq > this.seq + 1) {
      this.subscribe();
      return;
    }
    this.seq = event.seq;
    this.handlers.event(event);
  }

  takeDelta(items) {
    let hasGap = false;
    for (const item of items) {
      const [key, attempt, offset, text] = item;
      const outcome = this.draft(key).add(attempt, offset, text);
      if (outcome === "grown") this.handlers.draft(key, this.draft(key));
      if (outcome === "gap") {
        this.aside.push(item);
        hasGap = true;
      }
    }
    if (hasGap) this.subscribe();
  }
}
