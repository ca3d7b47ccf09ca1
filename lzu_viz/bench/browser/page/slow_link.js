/**
 * A far away kernel: every message of every WebSocket arrives 150 ms late, in both directions.
 * Timers of equal length fire in the order in which they were set, so the order stays.
 */
(() => {
  const DELAY_MS = 150;
  const late = new WeakSet();
  globalThis.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      // The first listener of all: it keeps each message back, and hands a copy on later.
      this.addEventListener("message", (event) => {
        if (late.has(event)) return;
        event.stopImmediatePropagation();
        const copy = new MessageEvent("message", { data: event.data, origin: event.origin });
        late.add(copy);
        setTimeout(() => this.dispatchEvent(copy), DELAY_MS);
      });
    }

    send(data) {
      setTimeout(() => {
        if (this.readyState === WebSocket.OPEN) super.send(data);
      }, DELAY_MS);
    }
  };
})();
